"""Pixels brought to the size and channels that the preprocessing asks for, as they are taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import Pixels, file_behind
from imgclf.settings import ImageShape


@dataclass(frozen=True)
class ShapedPixels:
    """Other pixels, each image resized and given its channels on the way out."""

    pixels: Pixels
    image_shape: ImageShape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.pixels.dtype

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        from imgclf.images.resize import to_shape

        images = np.empty((len(indices), *self.image_shape), self.dtype)
        for position, image in enumerate(self.pixels.take(indices)):
            images[position] = to_shape(image, self.image_shape)
        return images

    def name_of(self, index: int) -> str | None:
        return file_behind(self.pixels, index)


def shaped(pixels: Pixels, image_shape: ImageShape) -> Pixels:
    """The pixels themselves where they have the shape already."""
    return pixels if pixels.image_shape == image_shape else ShapedPixels(pixels, image_shape)
