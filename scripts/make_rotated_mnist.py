#!/usr/bin/env python3
"""MNIST with every digit turned by an angle of its own, as an .npz file for the data set `npz`.

    scripts/make_rotated_mnist.py [FILE] [--data-dir data] [--degrees 90] [--seed 0]

Angles are drawn evenly from -degrees to degrees; pixels are interpolated bilinearly and what turns in from outside is
black. Writes train_images and test_images, uint8 (images, 28, 28), and train_labels and test_labels, uint8. The same
arguments give the same arrays. MNIST is looked for, and downloaded where it is nowhere, as `dataset: mnist` does it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import DataPlaces, Split
from imgclf.datasets.mnist import Mnist
from imgclf.runs.files import replacing


def main() -> None:
    """Read MNIST, turn it, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", help="default: rotated_mnist.npz in the data folder")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--degrees", type=float, default=90)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    path = arguments.file or arguments.data_dir / "rotated_mnist.npz"
    splits = Mnist(name="mnist", validation_size=0).load(DataPlaces(arguments.data_dir), seed=0)
    angles = np.random.default_rng(arguments.seed)
    arrays: dict[str, NDArray[np.uint8]] = {}
    for name, split in (("train", splits.train), ("test", splits.load_test())):
        arrays[f"{name}_images"] = rotated(split, angles.uniform(-arguments.degrees, arguments.degrees, len(split)))
        arrays[f"{name}_labels"] = split.labels[:, 0].astype(np.uint8)
        print(f"{name}: {len(split):,} digits, turned by up to {arguments.degrees:g} degrees", flush=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
    print(path)


def rotated(split: Split, degrees: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The images of a split, uint8 (images, height, width), each turned counter-clockwise about its centre."""
    images = split.pixels.take(np.arange(len(split)))[..., 0]
    height, width = images.shape[1:]
    centre = ((width - 1) / 2, (height - 1) / 2)
    for image, angle in zip(images, degrees, strict=True):
        image[:] = cv2.warpAffine(image, cv2.getRotationMatrix2D(centre, angle, 1.0), (width, height))
    return images


if __name__ == "__main__":
    main()
