"""Pixels of several files as if they were one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import Pixels, arrays_behind, file_behind
from imgclf.settings import ImageShape


class JoinedPixels:
    """The images of several pixels of one shape and type, one after the other; nothing is copied but what is taken."""

    def __init__(self, pieces: Sequence[Pixels]) -> None:
        self.pieces = tuple(pieces)
        self._ends = np.cumsum([len(piece) for piece in pieces])

    @property
    def image_shape(self) -> ImageShape:
        return self.pieces[0].image_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.pieces[0].dtype

    def __len__(self) -> int:
        return int(self._ends[-1])

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        # Sorted, so that each file is read once, from front to back.
        order = np.argsort(indices, kind="stable")
        ascending = indices[order]
        cuts = np.searchsorted(ascending, [0, *self._ends])
        images = np.empty((len(indices), *self.image_shape), self.dtype)
        for piece, first, after, end in zip(self.pieces, cuts[:-1], cuts[1:], self._ends, strict=True):
            if first < after:
                images[order[first:after]] = piece.take(ascending[first:after] - (end - len(piece)))
        return images

    def name_of(self, index: int) -> str | None:
        number = int(np.searchsorted(self._ends, index, "right"))
        piece = self.pieces[number]
        return file_behind(piece, index - (int(self._ends[number]) - len(piece)))

    def arrays(self) -> Iterable[NDArray[Any]]:
        return (array for piece in self.pieces for array in arrays_behind(piece))
