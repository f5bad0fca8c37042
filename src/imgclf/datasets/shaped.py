"""Pixels brought to the size and channels that the preprocessing asks for, as they are taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import ImageShape, Pixels


@dataclass(frozen=True)
class ShapedPixels:
    """Other pixels, each image resized and given its channels on the way out."""

    pixels: Pixels
    image_shape: ImageShape

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        from imgclf.images.resize import resize_batch, to_channels

        height, width, channels = self.image_shape
        images = self.pixels.take(indices)
        if images.shape[1:3] != (height, width):
            images = resize_batch(images, height, width)
        return images if images.shape[3] == channels else np.stack([to_channels(image, channels) for image in images])


def shaped(pixels: Pixels, image_shape: ImageShape) -> Pixels:
    """The pixels themselves where they have the shape already."""
    return pixels if pixels.image_shape == image_shape else ShapedPixels(pixels, image_shape)
