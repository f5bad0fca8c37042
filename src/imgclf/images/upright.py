"""An opened picture to upright pixels of 8 bits: depth, transparency, orientation."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from imgclf.images.whole import without_metadata

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFile import ImageFile

GREY_MODES = (
    "1",
    "L",
    "LA",
    "La",
    "I",
    "F",
    "I;16",
    "I;16B",
    "I;16L",
    "I;16N",
)  # Pillow's, of pictures without colours
KNOWN_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "La", "RGBa")
TIFF_BITS, TIFF_PHOTOMETRIC, TIFF_WHITE_IS_ZERO = 258, 262, 0


class UnsupportedPixelsError(ValueError):
    """The file may be in order, but its kind of pixels has no one meaning in 8 bits."""


def upright_pixels(
    image: ImageFile, stream: BinaryIO, background: tuple[int, int, int], orientation: int
) -> NDArray[np.uint8]:
    """The picture decoded: uint8 (height, width, 1 where it has no colours, else 3), turned by its EXIF orientation.

    CMYK is turned into RGB by the plain formula, (255 - C) (255 - K) / 255. In a JPEG it is taken to be stored
    inverted, as Adobe's programs write it.
    """
    is_grey = image.mode in GREY_MODES
    opaque = _without_alpha(_load_8_bit(image, stream), background)
    pixels = _as_array(_turn(opaque, orientation))
    return pixels[..., :1] if is_grey and len(set(background)) == 1 else pixels


def is_turned(orientation: int) -> bool:
    """Whether width and height change places."""
    return orientation in (5, 6, 7, 8)


def _load_8_bit(image: ImageFile, stream: BinaryIO) -> Image.Image:
    """The decoded picture with 8 bits or 1 bit a channel."""
    raw_mode = str(image.tile[0][3]) if image.tile else ""
    image.load()
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return _scale_grey16(image)
    if image.mode in ("I", "F"):
        raise UnsupportedPixelsError(f"{image.format} file with 32 bits a channel; read are 1, 8 and 16 bits")
    if image.mode not in KNOWN_MODES:
        raise UnsupportedPixelsError(f"{image.format} file with colours of the kind {image.mode}, which are not read")
    return _scale_colour16(image, stream) if ";16" in raw_mode else image


def _scale_grey16(image: ImageFile) -> Image.Image:
    from PIL import Image

    grey = np.asarray(image).astype(np.uint32)
    transparent = image.info.get("transparency")
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        if tags.get(TIFF_BITS) != (16,):
            raise UnsupportedPixelsError(
                f"TIFF file with {tags.get(TIFF_BITS)} bits a channel; read are 1, 8 and 16 bits"
            )
        if tags.get(TIFF_PHOTOMETRIC) == TIFF_WHITE_IS_ZERO:
            grey = 65535 - grey
    levels = Image.fromarray(_scale_16_to_8(grey))
    if transparent is None:
        return levels
    return Image.merge("LA", (levels, Image.fromarray(np.where(grey == transparent, 0, 255).astype(np.uint8))))


def _scale_colour16(image: ImageFile, stream: BinaryIO) -> Image.Image:
    """16-bit RGB, RGBA or grey with alpha, read again by OpenCV; ``image`` holds the upper 8 bits."""
    import cv2
    from PIL import Image

    stream.seek(0)
    content = without_metadata(stream) if image.format == "PNG" else stream.read()
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    upper = np.asarray(image.convert("RGB"))
    if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3 or decoded.shape[:2] != upper.shape[:2]:
        raise UnsupportedPixelsError(f"{image.format} file with 16 bits a channel of an unusual kind ({image.mode})")
    pixels = np.asarray(decoded, np.uint16)
    rgb = pixels[..., 2::-1]
    if not np.array_equal(rgb >> 8, upper):  # premultiplied alpha, CMYK, an orientation that one of them ignores
        raise UnsupportedPixelsError(f"{image.format} file with 16 bits a channel that two decoders read differently")
    return Image.fromarray(_scale_16_to_8(np.concatenate([rgb, pixels[..., 3:]], axis=2).astype(np.uint32)))


def _scale_16_to_8(values: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """0 to 65535 as the nearest of 0 to 255 (65535 is 255 times 257)."""
    return ((values + 128) // 257).astype(np.uint8)


def _without_alpha(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """The picture blended onto the background by its transparency."""
    from PIL import Image

    if not image.has_transparency_data:
        return image
    picture = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, (*background, 255)), picture).convert("RGB")


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


def _as_array(image: Image.Image) -> NDArray[np.uint8]:
    """uint8 (height, width, 1 or 3)."""
    if image.mode in ("1", "L"):
        return np.array(image.convert("L"), np.uint8)[:, :, np.newaxis]
    return np.array(image if image.mode == "RGB" else image.convert("RGB"), np.uint8)
