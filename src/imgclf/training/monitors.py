"""What early stopping and reduce-on-plateau watch: a metric, and in which direction it gets better."""

from __future__ import annotations

import math
from typing import Literal

from imgclf.errors import ImgclfError

Monitor = Literal["validation_loss", "validation_accuracy", "loss", "accuracy"]
Mode = Literal["auto", "min", "max"]
Direction = Literal["min", "max"]


def direction(monitor: Monitor, mode: Mode) -> Direction:
    """Whether a lower ("min") or a higher ("max") value is better; ``auto`` goes by the metric."""
    if mode != "auto":
        return mode
    return "min" if monitor.endswith("loss") else "max"


def worst(towards: Direction) -> float:
    """The value that every finite one improves on."""
    return math.inf if towards == "min" else -math.inf


def improves(value: float, reference: float, towards: Direction, min_delta: float) -> bool:
    """Whether ``value`` is better than ``reference`` by more than ``min_delta``; NaN never is."""
    return value + min_delta < reference if towards == "min" else value - min_delta > reference


def monitored(metrics: dict[str, float], monitor: Monitor, key: str) -> float:
    """The metric that is watched. Raises ImgclfError, naming ``key``, where it was not measured."""
    if monitor not in metrics:
        raise ImgclfError(
            f"{key}.monitor: must be a metric that the run measures ({', '.join(sorted(metrics))}); got {monitor}",
            hint="validation_loss and validation_accuracy need a dataset.validation_size above 0.",
        )
    return metrics[monitor]
