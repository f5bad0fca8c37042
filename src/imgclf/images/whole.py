"""Whether a file is whole, where Pillow does not ask: checksums of PNG, parts of TIFF, errors that libtiff prints."""

from __future__ import annotations

import ctypes
import functools
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

PNG_SIGNATURE_BYTES = 8
PNG_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")
TIFF_STRIPS = ((273, 279), (324, 325))  # offsets and byte counts of strips and of tiles: TIFF 6.0, sections 3 and 15

_complaints = threading.local()


def check_parts(image: ImageFile, stream: BinaryIO) -> None:
    """Raise EOFError or ValueError for an opened PNG or TIFF with missing or damaged parts; others pass."""
    if image.format == "PNG":
        _check_png(stream)
    elif image.format == "TIFF":
        _check_strips(image, stream)


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


class _Chunk(NamedTuple):
    kind: bytes
    start: int  # of its content in the file, in bytes
    length: int


def _png_chunks(stream: Any) -> Iterator[_Chunk]:
    """The chunks up to IEND or the file's end."""
    position = PNG_SIGNATURE_BYTES
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
    with _kept_position(stream):
        for chunk in _png_chunks(stream):
            if chunk.kind in PNG_PIXEL_CHUNKS:
                stream.seek(chunk.start)
                content, checksum = stream.read(chunk.length), stream.read(4)
                if len(checksum) < 4:
                    raise EOFError(f"its {chunk.kind.decode()} part is cut off")
                if zlib.crc32(content, zlib.crc32(chunk.kind)) != int.from_bytes(checksum, "big"):
                    raise ValueError(f"wrong checksum of its {chunk.kind.decode()} part at byte {chunk.start}")


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


def _note_complaint(module: bytes | None, text: bytes | None, _values: int | None) -> None:
    """libtiff's handler of errors; ``text`` is a format of printf, whose values Python can't take."""
    _complaints.last = f"libtiff: {(module or b'').decode(errors='replace')}: {(text or b'').decode(errors='replace')}"


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
