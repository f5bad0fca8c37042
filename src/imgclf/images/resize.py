"""The parts of bringing an image to a shape: scaling, padding, and colour to grey or back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imgclf.errors import ImgclfError

if TYPE_CHECKING:
    from imgclf.images.fit import Interpolation


def resize(
    image: NDArray[Any],
    height: int,
    width: int,
    interpolation: Interpolation = "linear",
    extent: tuple[float, float] | None = None,
) -> NDArray[Any]:
    """The image (any height, any width, channels) squashed or stretched to (height, width, channels), of its type.

    uint8, or float32 from 0 to 255. A side that shrinks is averaged by area, which keeps thin lines and makes no moiré;
    one that grows is interpolated. ``nearest`` takes pixels as they are both ways, and makes no values that the image
    does not have. An image that has the size already is returned as it is. ``extent`` is given of an image that a
    decoder has reduced: how much of its height and width counts, where the last row and column count in part. Neither
    side may grow then, and what is left to shrink is averaged only from a factor of 2 on.
    """
    old_height, old_width, channels = image.shape
    if extent is not None:
        return _after_reduction(image, height, width, extent)
    if (old_height, old_width) == (height, width):
        return image
    if interpolation == "nearest":
        return _scaled(image, height, width, "nearest").reshape(height, width, channels)
    # OpenCV averages by area only where no side grows: so first whatever shrinks, then whatever grows.
    shrunk = _scaled(image, min(old_height, height), min(old_width, width), "area")
    return _scaled(shrunk, height, width, interpolation).reshape(height, width, channels)


def pad(image: NDArray[Any], height: int, width: int, background: tuple[int, int, int]) -> NDArray[Any]:
    """The image (any height, any width, 1 or 3) in the middle of (height, width, same channels) of one colour.

    A grey image gets the colour's luminance. Where the rest is odd, the larger half is below and to the right.
    """
    if image.shape[:2] == (height, width):
        return image
    colour = to_channels(np.array([[background]], np.uint8), image.shape[2])
    padded = np.empty((height, width, image.shape[2]), image.dtype)
    padded[:] = colour
    top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
    padded[top : top + image.shape[0], left : left + image.shape[1]] = image
    return padded


def to_channels(image: NDArray[Any], channels: int) -> NDArray[Any]:
    """The image (height, width, 1 or 3) with 1 or 3 channels: RGB to luminance (ITU-R BT.601), grey repeated."""
    import cv2

    if channels not in (1, 3) or image.shape[2] not in (1, 3):
        raise ImgclfError(f"channels: must be 1 or 3; got an image with {image.shape[2]}, to be turned into {channels}")
    if image.shape[2] == channels:
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=2)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[:, :, np.newaxis]


def _after_reduction(image: NDArray[Any], height: int, width: int, extent: tuple[float, float]) -> NDArray[Any]:
    """An image without details finer than two pixels of the original: below a factor of 2, every pixel still counts.

    Measured on 400 photographs of cats and dogs brought to 150x150, the mean distance from the whole picture averaged
    by area is 1.50 levels of 255, 1.39 where the rest is averaged too, 2.15 for the whole picture interpolated; and
    34 microseconds an image in place of 187. Given factors and no size, OpenCV takes parts of pixels as they are.
    """
    import cv2

    fx, fy = width / extent[1], height / extent[0]
    way = cv2.INTER_LINEAR if min(fx, fy) > 0.5 else cv2.INTER_AREA
    scaled = np.asarray(cv2.resize(image, None, fx=fx, fy=fy, interpolation=way))
    return scaled[:height, :width].reshape(height, width, image.shape[2])


def _scaled(image: NDArray[Any], height: int, width: int, way: str) -> NDArray[Any]:
    """By one of OpenCV's ways; OpenCV drops an axis of one channel."""
    import cv2

    if image.shape[:2] == (height, width):
        return image
    ways = {
        "area": cv2.INTER_AREA,
        "nearest": cv2.INTER_NEAREST_EXACT,
        "linear": cv2.INTER_LINEAR,
        "cubic": cv2.INTER_CUBIC,
        "lanczos": cv2.INTER_LANCZOS4,
    }
    scaled = np.asarray(cv2.resize(image, (width, height), interpolation=ways[way]))
    # Cubic and Lanczos overshoot at edges; of uint8, OpenCV cuts that off by itself.
    return scaled.clip(0, 255) if image.dtype.kind == "f" and way in ("cubic", "lanczos") else scaled
