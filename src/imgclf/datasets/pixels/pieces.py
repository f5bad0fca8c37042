"""Pixels read in pieces, so that whoever looks at a whole data set never holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import Pixels

PIECE_BYTES = 2**24

Report = Callable[[int, int], None]  # how many images are done, and of how many


def image_bytes(pixels: Pixels) -> int:
    """Bytes of one uncompressed image."""
    return prod(pixels.image_shape) * pixels.dtype.itemsize


def images_a_piece(pixels: Pixels) -> int:
    """How many images a piece of 16 MiB has, at least one."""
    return max(1, PIECE_BYTES // max(1, image_bytes(pixels)))


def pieces(pixels: Pixels, report: Report = lambda _done, _total: None) -> Iterator[NDArray[Any]]:
    """All images in their order, (piece, height, width, channels) of the pixels' type, a piece at a time."""
    total = len(pixels)
    for start in range(0, total, images_a_piece(pixels)):
        end = min(start + images_a_piece(pixels), total)
        yield pixels.take(np.arange(start, end))
        report(end, total)


def spread(total: int, count: int) -> NDArray[np.int64]:
    """``count`` positions of ``total`` (all where there are fewer), evenly spread, int64 and sorted."""
    return np.unique(np.linspace(0, total - 1, min(count, total)).astype(np.int64))
