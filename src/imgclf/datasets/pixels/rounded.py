"""Pixels of fractions as bytes, for pictures and whatever else looks at images as people do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import Pixels, arrays_behind
from imgclf.settings import ImageShape

_IMAGES_A_PIECE = 1024


@dataclass(frozen=True)
class RoundedPixels:
    """Other pixels, float32 0 to 255, rounded to uint8 as they are taken."""

    pixels: Pixels

    @property
    def image_shape(self) -> ImageShape:
        return self.pixels.image_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        images = np.empty((len(indices), *self.image_shape), np.uint8)
        for first in range(0, len(indices), _IMAGES_A_PIECE):  # the floats of all of them would take four times as much
            piece = slice(first, first + _IMAGES_A_PIECE)
            # Clipped, since resizing may overshoot: 256 would become 0.
            images[piece] = np.rint(self.pixels.take(indices[piece])).clip(0, 255)
        return images

    def arrays(self) -> Iterable[NDArray[Any]]:
        return arrays_behind(self.pixels)


def rounded(pixels: Pixels) -> Pixels:
    """The pixels themselves where they are uint8 already."""
    return pixels if pixels.dtype == np.uint8 else RoundedPixels(pixels)
