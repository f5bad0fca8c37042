#!/usr/bin/env python3
"""An .npz file of two classes, one of them rare: Fashion-MNIST's shirts among its other tops.

    scripts/make_imbalanced.py [FILE] [--data-dir data] [--rare 0.05] [--train 12000] [--test 4200]

The data set `npz` reads it. Class 0, "other top", holds T-shirts, pullovers, dresses and coats alike; class 1, "shirt",
is the fraction --rare of the training images and of the test images. Each split is drawn from Fashion-MNIST's own, by a
fixed seed: the same arguments give the same images.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import DataPlaces, Split
from imgclf.datasets.fashion_mnist import FashionMnist
from imgclf.runs.files import replacing

OTHER_TOPS, SHIRT = (0, 2, 3, 4), 6  # Fashion-MNIST's labels of T-shirt, pullover, dress and coat; of shirt
CLASS_NAMES = ("other top", "shirt")


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", help="default: rare_shirts.npz in the data folder")
    parser.add_argument("--rare", type=float, default=0.05, help="share of shirts")
    parser.add_argument("--train", type=int, default=12_000, help="training images, those for validation included")
    parser.add_argument("--test", type=int, default=4_200, help="test images")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    arguments = parser.parse_args()
    clothes = FashionMnist(name="fashion_mnist", validation_size=0).load(DataPlaces(arguments.data_dir), seed=0)
    train_images, train_labels = draw(clothes.train, arguments.train, arguments.rare)
    test_images, test_labels = draw(clothes.load_test(), arguments.test, arguments.rare)
    path = arguments.file or arguments.data_dir / "rare_shirts.npz"
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            train_images=train_images,
            train_labels=train_labels,
            test_images=test_images,
            test_labels=test_labels,
            class_names=np.array(CLASS_NAMES),
        )
    for name, labels in (("train", train_labels), ("test", test_labels)):
        print(f"{name}: {len(labels):,} images, {np.count_nonzero(labels):,} of them shirts")
    print(path)


def draw(split: Split, images: int, rare: float) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """So many images of a split, uint8 (images, height, width, 1), and their labels, 0 and 1, int32 (images,).

    Ends the program where the split has too few of a kind.
    """
    shirts = round(images * rare)
    each, rest = divmod(images - shirts, len(OTHER_TOPS))
    counts = {SHIRT: shirts, **{label: each + (place < rest) for place, label in enumerate(OTHER_TOPS)}}
    numbers = np.random.default_rng(0)
    chosen = np.concatenate([_choose(split.labels[:, 0], label, count, numbers) for label, count in counts.items()])
    chosen = numbers.permutation(chosen)
    return split.pixels.take(chosen), (split.labels[chosen, 0] == SHIRT).astype(np.int32)


def _choose(labels: NDArray[np.int32], label: int, count: int, numbers: np.random.Generator) -> NDArray[np.int64]:
    there = np.flatnonzero(labels == label)
    if not 0 < count <= len(there):
        sys.exit(f"error: images of Fashion-MNIST's class {label}: must be 1 to {len(there):,}; got {count:,}")
    return numbers.choice(there, count, replace=False)


if __name__ == "__main__":
    main()
