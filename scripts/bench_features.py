#!/usr/bin/env python3
"""Time the pass that computes stored features beside the bare body's own `predict` on the same images, in alternation.

    scripts/bench_features.py [--rounds 5] [--images 192] [--size 150]

The body is VGG16 with random weights. The pass reads uint8 images, scales them, and writes the features to the disk;
`predict` has float32 images in memory, as VGG16 takes them. Prints the median of images a second of each.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np


def main() -> None:
    """Time both and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=192)
    parser.add_argument("--size", type=int, default=150)
    asked = parser.parse_args()

    from imgclf.startup import choose_kernels

    choose_kernels()
    import keras

    from imgclf.datasets.base import ArrayPixels
    from imgclf.features import write_features
    from imgclf.inference import Forward
    from imgclf.models.application import Application
    from imgclf.preprocessing import Preprocessing, PreprocessingSettings

    shape = (asked.size, asked.size, 3)
    images = np.random.default_rng(0).integers(0, 256, (asked.images, *shape), np.uint8)
    body = Application(name="application", weights=None, pooling="flatten").build_body(shape)
    bare = keras.applications.VGG16(include_top=False, weights=None, input_shape=shape)
    forward = Forward(body, Preprocessing(PreprocessingSettings()).apply)
    floats = keras.applications.vgg16.preprocess_input(images.astype(np.float32))
    seconds: dict[str, list[float]] = {"stored features": [], "predict": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(asked.rounds + 1):
            started = time.monotonic()
            size = int(body.output_shape[-1])
            write_features(Path(folder) / "features.npy", (asked.images, size), forward.parts(ArrayPixels(images)))
            middle = time.monotonic()
            bare.predict(floats, batch_size=forward.batch_images, verbose=0)
            seconds["stored features"].append(middle - started)
            seconds["predict"].append(time.monotonic() - middle)
    speeds = {name: asked.images / statistics.median(times[1:]) for name, times in seconds.items()}
    for name, speed in speeds.items():
        print(f"{name}: {speed:.1f} images a second (median of {asked.rounds}, the first round left out)")
    print(f"ratio: {speeds['stored features'] / speeds['predict']:.2f}")


if __name__ == "__main__":
    main()
