"""Images to the height, width and channels that a model takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgclf.errors import ImgclfError
from imgclf.settings import ImageShape


def to_shape(image: NDArray[np.uint8], shape: ImageShape) -> NDArray[np.uint8]:
    """The uint8 image (any height, any width, 1 or 3) in another height, width and channels.

    First the size, then the channels: training images and those to predict are treated alike.
    """
    height, width, channels = shape
    return to_channels(resize(image, height, width), channels)


def resize(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The uint8 image (any height, any width, channels) squashed or stretched to (height, width, channels).

    A side that shrinks is averaged by area, which keeps thin lines and makes no moiré; one that grows is interpolated
    linearly. An image that has the size already is returned as it is.
    """
    import cv2

    old_height, old_width, channels = image.shape
    if (old_height, old_width) == (height, width):
        return image
    resized: NDArray[Any] = image
    # OpenCV averages by area only where no side grows: so first whatever shrinks, then whatever grows.
    shrunk = (min(old_height, height), min(old_width, width))
    if shrunk != (old_height, old_width):
        resized = cv2.resize(resized, shrunk[::-1], interpolation=cv2.INTER_AREA)
    if shrunk != (height, width):
        resized = cv2.resize(resized, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8).reshape(height, width, channels)


def to_channels(image: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """The uint8 image (height, width, 1 or 3) with 1 or 3 channels: RGB to luminance (ITU-R BT.601), grey repeated."""
    import cv2

    if channels not in (1, 3) or image.shape[2] not in (1, 3):
        raise ImgclfError(f"channels: must be 1 or 3; got an image with {image.shape[2]}, to be turned into {channels}")
    if image.shape[2] == channels:
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=2)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)[:, :, np.newaxis]
