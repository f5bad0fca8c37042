"""What a data set holds, counted: images of each class, bytes in memory, mean and deviation of the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from mmap import mmap
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import Pixels, Split, Target, arrays_behind
from imgclf.datasets.pixels.pieces import Report, pieces


@dataclass(frozen=True)
class PixelStatistics:
    """Mean and standard deviation of each channel's pixels, 0 to 255, over all images: float64 (channels,)."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


class HeldBytes(NamedTuple):
    """Bytes of images that lie in memory, and of those that are mapped from files: the system keeps or drops them."""

    in_memory: int
    mapped: int


def class_counts(split: Split, targets: Sequence[Target]) -> list[NDArray[np.int64]]:
    """How many images each class has, for each target: int64 (classes,)."""
    return [
        np.bincount(split.labels[:, column], minlength=len(target.class_names)).astype(np.int64)
        for column, target in enumerate(targets)
    ]


def pixel_statistics(pixels: Pixels, report: Report = lambda _done, _total: None) -> PixelStatistics:
    """Mean and deviation of all pixels of each channel, read in pieces. There must be an image."""
    channels = pixels.image_shape[2]
    sums, squares = np.zeros(channels), np.zeros(channels)
    for images in pieces(pixels, report):
        rows = images.reshape(-1, channels)
        # einsum converts a buffer at a time: no copy of the piece in float64.
        sums += np.einsum("ij->j", rows, dtype=np.float64)
        squares += np.einsum("ij,ij->j", rows, rows, dtype=np.float64)
    count = len(pixels) * pixels.image_shape[0] * pixels.image_shape[1]
    mean = sums / count
    return PixelStatistics(mean, np.sqrt(np.maximum(squares / count - mean**2, 0)))


def held_bytes(pixels: Sequence[Pixels]) -> HeldBytes:
    """Bytes of the arrays that these pixels keep, each array counted once."""
    arrays = {id(array): array for one in pixels for array in arrays_behind(one)}.values()
    mapped = sum(array.nbytes for array in arrays if _is_mapped(array))
    return HeldBytes(sum(array.nbytes for array in arrays) - mapped, mapped)


def _is_mapped(array: Any) -> bool:
    """Whether an array, or the one that it is a view of, is mapped from a file."""
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        array = array.base
    return isinstance(array, (np.memmap, mmap))
