"""Strict reading of arrays from files: what a header declares must be there, no less and no more."""

from __future__ import annotations

import gzip
import io
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from imgclf.errors import ImgclfError

LIMIT_BYTES = 4 * 2**30
DEFLATE_RATIO = (
    1032  # the most bytes that one byte of deflate can become (zlib's technical details, "Maximum compression")
)
GET_AGAIN = (
    "Get the file again from where it came. Where all files of that place are removed, they are downloaded anew."
)

# What zipfile raises for a damaged archive beside the errors of reading; the last for a name that is no text.
ZIP_ERRORS = (zipfile.BadZipFile, NotImplementedError, RuntimeError, struct.error, UnicodeDecodeError)

UNPACKED_BYTES = 2**28  # what compressed data may become whatever their own size
UNPACKED_RATIO = 50  # of larger data: the images of MNIST become 5 times as large

_CHUNK_BYTES = 2**20
_GZIP_MAGIC = b"\x1f\x8b"

Number = TypeVar("Number", bound=np.integer)


@contextmanager
def open_content(path: Path) -> Iterator[io.BufferedIOBase]:
    """The bytes of a file, decompressed where they start as gzip does, whatever the file's name.

    Raises what the file system and gzip raise: OSError, EOFError, zlib.error.
    """
    with path.open("rb") as raw:
        gzipped = raw.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        raw.seek(0)
        if not gzipped:
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as content:
            yield content


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turns the errors of reading and decompressing into an ImgclfError that names the file."""
    try:
        yield
    except EOFError as error:
        raise ImgclfError(f"{path}: cut short: its compressed data end too early", hint=GET_AGAIN) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ImgclfError(f"{path}: damaged compressed data: {error}", hint=GET_AGAIN) from error
    except OSError as error:
        raise ImgclfError(f"{path}: cannot be read: {error.strerror or error}") from error


def most_bytes(path: Path) -> int:
    """The most bytes that the file can hold after decompression, from its size alone."""
    with path.open("rb") as raw:
        gzipped = raw.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    packed = path.stat().st_size
    return most_unpacked(packed) if gzipped else packed


def most_unpacked(packed: int) -> int:
    """The most bytes that are believed to have been compressed to ``packed`` ones: more is an attack or no image."""
    return min(packed * DEFLATE_RATIO, max(UNPACKED_BYTES, packed * UNPACKED_RATIO))


def read_declared(stream: io.BufferedIOBase, shape: tuple[int, ...], path: Path, most: int) -> NDArray[np.uint8]:
    """The rest of the stream as uint8 of the shape that its header declared; ``most`` bounds the bytes it can hold.

    Nothing is allocated for a shape that cannot be true; the data go into the array by pieces, so that no second copy
    exists. Raises ImgclfError where bytes are missing or left over.
    """
    declared = math.prod(shape)
    _check_declared(declared, shape, path, most)
    array = np.empty(shape, np.uint8)
    done = _fill(stream, array.data.cast("B"))
    if done < declared:
        raise ImgclfError(
            f"{path}: cut short: its header declares {declared:,} bytes of data, it holds {done:,}", hint=GET_AGAIN
        )
    if stream.read(1):
        raise ImgclfError(
            f"{path}: bytes are left over after the {declared:,} that its header declares", hint=GET_AGAIN
        )
    return array


def check_labels(labels: NDArray[Number], classes: int, path: Path) -> NDArray[np.int32]:
    """The labels (images,) as int32; raises ImgclfError for the first that is not from 0 to ``classes`` - 1."""
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        raise ImgclfError(
            f"{path}: labels must be from 0 to {classes - 1}; got {labels[wrong[0]]} at position {wrong[0]} (from 0)",
            hint="The file holds the labels of another data set, or is damaged.",
        )
    return labels.astype(np.int32)


def check_counts(images: int, labels: int, path: Path) -> None:
    """Raises ImgclfError where there is not one label an image."""
    if images != labels:
        raise ImgclfError(
            f"{path}: must hold one label an image; got {labels:,} labels for {images:,} images",
            hint="The two files are of different data sets or parts.",
        )


def _check_declared(declared: int, shape: tuple[int, ...], path: Path, most: int) -> None:
    size = " x ".join(f"{length:,}" for length in shape)
    if declared == 0:
        raise ImgclfError(f"{path}: holds no data: its header declares {size} bytes", hint=GET_AGAIN)
    if declared > LIMIT_BYTES:
        raise ImgclfError(
            f"{path}: its header declares {size} bytes, more than the {LIMIT_BYTES:,} that are read at most",
            hint=GET_AGAIN,
        )
    if declared > most:
        raise ImgclfError(
            f"{path}: cut short: its header declares {size} bytes, more than a file of its size can hold",
            hint=GET_AGAIN,
        )


def _fill(stream: io.BufferedIOBase, view: memoryview) -> int:
    """How many bytes of the view the stream filled; by pieces, since readinto of gzip and zip makes a copy of each."""
    done = 0
    while done < len(view):
        count = stream.readinto(view[done : done + _CHUNK_BYTES])
        if not count:
            break
        done += count
    return done
