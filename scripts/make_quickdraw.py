#!/usr/bin/env python3
"""Files of the size of Quick Draw's, without a download: jittered strokes, another shape for each class.

    scripts/make_quickdraw.py FOLDER [--classes 10] [--drawings 100000]

Writes full_numpy_bitmap_shape_NN.npy: uint8 (drawings, 784), white on black, as Google's files have it. The same
arguments give the same bytes; ten classes of 100,000 take 784 MB.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from imgclf.runs.files import replacing

SIDE, POINTS, PIECE = 28, 7, 10_000
SCALE = 16  # OpenCV's lines take fractions of a pixel as whole numbers of sixteenths (shift 4)


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--drawings", type=int, default=100_000)
    arguments = parser.parse_args()
    for number in range(arguments.classes):
        path = arguments.folder / f"full_numpy_bitmap_shape_{number:02}.npy"
        write_class(path, number, arguments.drawings)
        print(f"{path}: {arguments.drawings:,} drawings", flush=True)


def write_class(path: Path, number: int, drawings: int) -> None:
    """One class's file, whole, piece by piece."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (drawings, SIDE * SIDE)}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for piece in draw(number, drawings):
            file.write(piece.data)


def draw(number: int, drawings: int) -> Iterator[NDArray[np.uint8]]:
    """The drawings of a class, uint8 (up to PIECE, 784) at a time: the class's line with every point moved a little."""
    shape = np.random.default_rng(number).uniform(3, SIDE - 3, (POINTS, 2))
    jitter = np.random.default_rng([number, 1])
    for first in range(0, drawings, PIECE):
        images = np.zeros((min(PIECE, drawings - first), SIDE, SIDE), np.uint8)
        lines = shape + jitter.normal(0, 2, (len(images), POINTS, 2))
        for image, line in zip(images, (lines.clip(1, SIDE - 2) * SCALE).astype(np.int32), strict=True):
            cv2.polylines(image, [line], isClosed=False, color=255, thickness=2, lineType=cv2.LINE_AA, shift=4)
        yield images.reshape(len(images), -1)


if __name__ == "__main__":
    main()
