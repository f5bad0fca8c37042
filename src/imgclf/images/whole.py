"""Whether a file is whole, where Pillow does not ask: checksums of PNG, parts of TIFF and JPEG, errors of libtiff."""

from __future__ import annotations

import ctypes
import functools
import io
import re
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from imgclf.images.quiet import without_warnings

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
JPEG_END, JPEG_FILLER = b"\xff\xd9", b"\xaa\x55" * 64
TIFF_STRIPS = ((273, 279), (324, 325))  # offsets and byte counts of strips and of tiles: TIFF 6.0, sections 3 and 15

_complaints = threading.local()


def check_parts(image: ImageFile, stream: BinaryIO) -> None:
    """Raise EOFError or ValueError for an opened PNG or TIFF with missing or damaged parts; others pass."""
    if image.format == "PNG":
        _check_png(stream)
    elif image.format == "TIFF":
        _check_strips(image, stream)


def without_metadata(stream: BinaryIO) -> bytes:
    """A PNG that ``check_parts`` found whole, with nothing but its pixels for a library to complain of."""
    parts = [PNG_SIGNATURE]
    for kind, start, length in _png_chunks(stream):
        if kind in PNG_PIXEL_CHUNKS:
            stream.seek(start - 8)
            parts.append(stream.read(length + 12))
    return b"".join(parts)


def late_exif(image: ImageFile) -> bytes | None:
    """The EXIF data of an opened PNG that come after its pixels, where Pillow finds them only by decoding those."""
    stream = image.fp
    assert stream is not None
    with _kept_position(stream):
        for chunk in _png_chunks(stream):
            if chunk.kind == b"eXIf":
                stream.seek(chunk.start)
                return b"Exif\0\0" + stream.read(chunk.length)
    return None


@contextmanager
def refusing_libtiff_errors(image: ImageFile) -> Iterator[None]:
    """Raise ValueError where libtiff complains while a TIFF is decoded; it would print, and fill in what it lacks."""
    if image.format != "TIFF":
        yield
        return
    _listen_to_libtiff()
    _complaints.last = None
    yield
    if _complaints.last is not None:
        raise ValueError(_complaints.last)


def check_end(image: ImageFile, stream: BinaryIO) -> None:
    """Raise EOFError for a decoded JPEG whose pixels end before its end does; libjpeg makes the rest grey and goes on.

    A picture that ends in just that grey is decoded again with more data before its end: one that lacked nothing stays
    as it is. What a progressive JPEG lacks is not seen, unless it is the last part of its first scan.
    """
    if image.format != "JPEG" or not _is_unset(image.getpixel((image.width - 1, image.height - 1))):
        return
    stream.seek(0)
    content = stream.read()
    end = content.rfind(JPEG_END)
    filled = content[:end] + JPEG_FILLER + content[end:]
    with without_warnings():
        pictures = [type(image)(io.BytesIO(jpeg)) for jpeg in (content, filled)]
    if end > 0 and pictures[0].tobytes() != pictures[1].tobytes():
        raise EOFError("pixels are missing before its end")


def _is_unset(pixel: object) -> bool:
    """Whether it is the grey of coefficients that are 0; 127 where a channel is inverted."""
    return set(pixel if isinstance(pixel, tuple) else (pixel,)) <= {127, 128}


class _Chunk(NamedTuple):
    kind: bytes
    start: int  # of its content in the file, in bytes
    length: int


def _png_chunks(stream: Any) -> Iterator[_Chunk]:
    """The chunks up to IEND or the file's end."""
    position = len(PNG_SIGNATURE)
    kind = b""
    while kind != b"IEND":
        stream.seek(position)
        header = stream.read(8)
        if len(header) < 8:
            return
        length, kind = int.from_bytes(header[:4], "big"), header[4:]
        yield _Chunk(kind, position + 8, length)
        position += length + 12


def _check_png(stream: BinaryIO) -> None:
    """Refuse wrong checksums of what makes the pixels (PNG, section 5.3); Pillow skips those of the pixels."""
    kind = b""
    with _kept_position(stream):
        for kind, start, length in _png_chunks(stream):
            if kind in PNG_PIXEL_CHUNKS:
                stream.seek(start)
                content, checksum = stream.read(length), stream.read(4)
                if len(checksum) < 4:
                    raise EOFError(f"its {kind.decode()} part is cut off")
                if zlib.crc32(content, zlib.crc32(kind)) != int.from_bytes(checksum, "big"):
                    raise ValueError(f"wrong checksum of its {kind.decode()} part at byte {start}")
    if kind != b"IEND":
        raise EOFError("its end is missing")


def _check_strips(image: ImageFile, stream: BinaryIO) -> None:
    """Refuse a TIFF whose parts lie past the file's end: libtiff would fill in what is missing."""
    with _kept_position(stream):
        file_bytes = stream.seek(0, 2)
    tags = image.tag_v2  # type: ignore[attr-defined]
    for offsets, counts in TIFF_STRIPS:
        for offset, count in zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False):
            if offset + count > file_bytes:
                raise EOFError(f"pixels are to reach byte {offset + count}, the file has {file_bytes}")


@contextmanager
def _kept_position(stream: Any) -> Iterator[None]:
    position = stream.tell()
    try:
        yield
    finally:
        stream.seek(position)


def _note_complaint(_module: bytes | None, text: bytes | None, _values: int | None) -> None:
    """libtiff's handler of errors; ``text`` is a format of printf, whose values Python can't take."""
    _complaints.last = "libtiff: " + re.sub(r"%[-+.#0-9]*[a-zA-Z]+", "…", (text or b"").decode(errors="replace"))


_Handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
_handler = _Handler(_note_complaint)  # libtiff keeps its address, so it must not be collected


@functools.cache
def _listen_to_libtiff() -> None:
    """Put our handler of errors into the libtiff that Pillow uses; where it can't be reached, it goes on to print."""
    from PIL import _imaging

    try:
        set_handler = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (OSError, AttributeError):
        return
    set_handler.argtypes, set_handler.restype = [_Handler], ctypes.c_void_p
    set_handler(_handler)
