"""Image files to pixels, by content and not by extension; what cannot be decoded whole is refused with the reason.

Pillow decodes: OpenCV returns a truncated JPEG as a picture that is grey from some row on, and its libjpeg and libpng
print warnings on file descriptor 2. What that costs, measured with JPEG of equal pixels on two cores: 500x375 1.7 ms
(OpenCV 1.3), 224x224 0.58 ms (0.47), 32x32 0.17 ms (0.03), 2000x1500 24 ms (11). OpenCV reads only 16-bit colour, of
which Pillow keeps the upper 8 bits.
"""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from imgclf.errors import ImgclfError
from imgclf.images.resize import to_channels
from imgclf.images.signature import file_format, looks_like

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFile import ImageFile

PIXEL_LIMIT = 64_000_000
ORIENTATION_TAG = 0x0112  # EXIF 2.3, section 4.6.4
TIFF_STRIPS = ((273, 279), (324, 325))  # offsets and byte counts of strips and of tiles: TIFF 6.0, sections 3 and 15
TIFF_BITS, TIFF_PHOTOMETRIC, TIFF_WHITE_IS_ZERO = 258, 262, 0

# Pillow warns of broken metadata that the pixels do not depend on. Python keeps its warning filters for the whole
# process, so one thread at a time may set them aside.
_WARNINGS_LOCK = threading.Lock()


class UnreadableImage(ImgclfError):
    """A file that cannot be decoded; ``reason`` says why, without the path."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def decode(path: Path, channels: int, *, pixel_limit: int = PIXEL_LIMIT) -> NDArray[np.uint8]:
    """The first picture of a file as uint8 (height, width, channels), channels 1 (luminance) or 3 (RGB).

    The EXIF orientation is applied, transparency is blended onto white, and 16 bits are scaled to 8. Formats: JPEG,
    PNG, BMP, WebP, TIFF, GIF. Raises UnreadableImage where the file is missing, is no image of these formats, is
    truncated or damaged, or has more than ``pixel_limit`` pixels.
    """
    with _open_file(path) as stream:
        image = _read_header(path, stream)
        width, height = image.size
        if width * height > pixel_limit:
            limit = f"the limit is {pixel_limit / 1e6:g} megapixels"
            raise UnreadableImage(
                path, f"too many pixels: {width}x{height} are {width * height / 1e6:.1f} megapixels; {limit}"
            )
        try:
            pixels = _as_array(_turn(_on_white(_load_8_bit(image, stream)), _orientation(image)))
        except _UnsupportedPixelsError as error:
            raise UnreadableImage(path, str(error)) from error
        except Exception as error:  # Pillow's decoders raise a dozen types on damaged bytes
            raise UnreadableImage(path, f"truncated or damaged {image.format} file: {_in_one_line(error)}") from error
    return to_channels(pixels, channels)


class _UnsupportedPixelsError(ValueError):
    """The file may be in order, but its kind of pixels has no one meaning in 8 bits."""


def _open_file(path: Path) -> BinaryIO:
    if path.is_dir():
        raise UnreadableImage(path, "is a folder, not an image file")
    if path.exists() and not path.is_file():
        raise UnreadableImage(path, "is a device or a pipe, not an image file")
    try:
        return path.open("rb")
    except OSError as error:
        raise UnreadableImage(path, f"cannot be opened: {error.strerror or error}") from error


def _read_header(path: Path, stream: BinaryIO) -> ImageFile:
    """The picture with its size, its pixels still undecoded.

    The format's own class is called, since ``PIL.Image.open`` warns of large pictures before their size can be asked.
    """
    start = stream.read(512)
    if not start:
        raise UnreadableImage(path, "empty file")
    format_name = file_format(start)
    if format_name is None:
        raise UnreadableImage(path, f"not an image: {looks_like(start)}")
    stream.seek(0)
    try:
        with _WARNINGS_LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _image_class(format_name)(stream)
    except Exception as error:  # as in ``decode``
        reason = f"starts like a {format_name} file, but is truncated or damaged: {_in_one_line(error)}"
        raise UnreadableImage(path, reason) from error


def _image_class(format_name: str) -> type[ImageFile]:
    from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

    classes: dict[str, type[ImageFile]] = {
        "JPEG": JpegImagePlugin.JpegImageFile,
        "PNG": PngImagePlugin.PngImageFile,
        "BMP": BmpImagePlugin.BmpImageFile,
        "WebP": WebPImagePlugin.WebPImageFile,
        "TIFF": TiffImagePlugin.TiffImageFile,
        "GIF": GifImagePlugin.GifImageFile,
    }
    return classes[format_name]


def _load_8_bit(image: ImageFile, stream: BinaryIO) -> Image.Image:
    """The decoded picture with 8 bits or 1 bit a channel."""
    if image.format == "TIFF":
        _check_strips(image, stream)
    raw_mode = str(image.tile[0][3]) if image.tile else ""
    image.load()
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return _scale_grey16(image)
    if image.mode in ("I", "F"):
        raise _UnsupportedPixelsError(f"{image.format} file with 32 bits a channel; read are 1, 8 and 16 bits")
    return _scale_colour16(image, stream) if ";16" in raw_mode else image


def _check_strips(image: ImageFile, stream: BinaryIO) -> None:
    """Refuse a TIFF whose parts lie past the file's end: libtiff would print, or fill in what is missing."""
    file_bytes = stream.seek(0, 2)
    tags = image.tag_v2  # type: ignore[attr-defined]
    for offsets, counts in TIFF_STRIPS:
        for offset, count in zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False):
            if offset + count > file_bytes:
                raise EOFError(f"pixels are to reach byte {offset + count}, the file has {file_bytes}")


def _scale_grey16(image: ImageFile) -> Image.Image:
    from PIL import Image

    grey = np.asarray(image).astype(np.uint32)
    transparent = image.info.get("transparency")
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        if tags.get(TIFF_BITS) != (16,):
            raise _UnsupportedPixelsError(
                f"TIFF file with {tags.get(TIFF_BITS)} bits a channel; read are 1, 8 and 16 bits"
            )
        if tags.get(TIFF_PHOTOMETRIC) == TIFF_WHITE_IS_ZERO:
            grey = 65535 - grey
    if transparent is not None:
        grey[grey == transparent] = 65535
    return Image.fromarray(_scale_16_to_8(grey))


def _scale_colour16(image: ImageFile, stream: BinaryIO) -> Image.Image:
    """16-bit RGB, RGBA or grey with alpha, read again by OpenCV; ``image`` holds the upper 8 bits."""
    import cv2
    from PIL import Image

    stream.seek(0)
    decoded = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    upper = np.asarray(image.convert("RGB"))
    if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3 or decoded.shape[:2] != upper.shape[:2]:
        raise _UnsupportedPixelsError(f"{image.format} file with 16 bits a channel of an unusual kind ({image.mode})")
    pixels = np.asarray(decoded, np.uint16)
    rgb = pixels[..., 2::-1]
    if not np.array_equal(rgb >> 8, upper):  # premultiplied alpha, CMYK, an orientation that one of them ignores
        raise _UnsupportedPixelsError(f"{image.format} file with 16 bits a channel that two decoders read differently")
    return Image.fromarray(_scale_16_to_8(np.concatenate([rgb, pixels[..., 3:]], axis=2).astype(np.uint32)))


def _scale_16_to_8(values: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """0 to 65535 as the nearest of 0 to 255 (65535 is 255 times 257)."""
    return ((values + 128) // 257).astype(np.uint8)


def _on_white(image: Image.Image) -> Image.Image:
    """The picture without transparency: what lies behind it is white paper."""
    from PIL import Image

    if not image.has_transparency_data:
        return image
    picture = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _orientation(image: ImageFile) -> object:
    """The EXIF orientation of a loaded picture; Pillow has turned a TIFF by itself and removed its tag."""
    with _WARNINGS_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return image.getexif().get(ORIENTATION_TAG, 1)


def _turn(image: Image.Image, orientation: object) -> Image.Image:
    """The picture upright, by its EXIF orientation; a value outside 1 to 8 says nothing and turns nothing."""
    from PIL.Image import Transpose

    turns: dict[object, Transpose] = {
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


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
