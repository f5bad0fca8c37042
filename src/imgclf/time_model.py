"""The job `models time`: how long a trained model takes, and how large it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from imgclf.loading import loading_once
from imgclf.models.cost import multiply_adds
from imgclf.places import runs_folder
from imgclf.screen import Screen, Silent
from imgclf.trained import find_source, open_trained
from imgclf.training.devices import DeviceChoice

WARM_UP, LEAST_REPEATS, SECONDS = 3, 5, 2.0  # calls before the first that counts; then at least so many, and so long


@dataclass(frozen=True)
class Latency:
    """The median of repeated calls, from pixels in memory to logits in memory."""

    seconds: float
    repeats: int


def time_model(
    run: str, *, device: DeviceChoice | None = None, runs_dir: str | Path | None = None, screen: Screen | None = None
) -> dict[str, Any]:
    """Latency of a run's model for one image and for a batch, its size and its multiply-adds, for JSON.

    The images are noise: no step depends on what is in them. They go through the forward pass of predict, which also
    says how many are in a batch. Raises ImgclfError where there is no such run or its weights don't fit.
    """
    screen = screen or Silent()
    source = find_source(run, None, None, runs_folder(runs_dir))
    screen.say(f"timing {source.weights}")
    trained = open_trained(source, device, loading_once(source.experiment, None, screen), screen)
    shape, batch_size = trained.image_shape, trained.forward.batch_images
    images = np.random.default_rng(0).integers(0, 256, (batch_size, *shape), np.uint8)
    # One image first: the first shape that the pass is compiled for is fixed, as in `predict` of one file.
    one = measure(lambda: trained.forward.batch(images[:1]))
    batch = measure(lambda: trained.forward.batch(images))
    return {
        "weights": str(source.weights),
        "device": trained.devices.note,
        "image_shape": list(shape),
        "latency_seconds": one.seconds,
        "latency_repeats": one.repeats,
        "batch_size": batch_size,
        "batch_latency_seconds": batch.seconds,
        "batch_latency_repeats": batch.repeats,
        "parameters": int(trained.model.count_params()),
        "weights_bytes": source.weights.stat().st_size,
        "multiply_adds": multiply_adds(trained.model),
    }


def measure(call: Callable[[], object]) -> Latency:
    """The median time of a call after its warm-up."""
    for _ in range(WARM_UP):
        call()
    times: list[float] = []
    while len(times) < LEAST_REPEATS or sum(times) < SECONDS:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return Latency(median(times), len(times))
