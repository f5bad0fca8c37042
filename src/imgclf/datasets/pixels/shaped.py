"""Pixels brought to the size and channels that the preprocessing asks for, as they are taken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import Pixels, arrays_behind, file_behind
from imgclf.images.fit import ImageFit, fit_image
from imgclf.settings import ImageShape


@dataclass(frozen=True)
class ShapedPixels:
    """Other pixels, each image brought to ``image_shape`` by the rule of ``fit`` on the way out."""

    pixels: Pixels
    image_shape: ImageShape
    fit: ImageFit

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.pixels.dtype

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        images = np.empty((len(indices), *self.image_shape), self.dtype)
        for position, image in enumerate(self.pixels.take(indices)):
            images[position] = fit_image(image, self.fit)
        return images

    def name_of(self, index: int) -> str | None:
        return file_behind(self.pixels, index)

    def arrays(self) -> Iterable[NDArray[Any]]:
        return arrays_behind(self.pixels)


def shaped(pixels: Pixels, fit: ImageFit) -> Pixels:
    """Pixels as ``fit`` says; they themselves where they have its size and channels already."""
    height, width, channels = pixels.image_shape
    size = fit.size or (height, width)
    image_shape = (*size, fit.channels or channels)
    return pixels if pixels.image_shape == image_shape else ShapedPixels(pixels, image_shape, fit)
