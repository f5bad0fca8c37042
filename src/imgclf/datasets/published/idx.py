"""IDX files, the format of MNIST (LeCun, Cortes and Burges, "The MNIST database", "File formats"), plain or gzipped."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.stored.strict import GET_AGAIN, check_labels, most_bytes, named_errors, open_content, read_declared
from imgclf.errors import ImgclfError

IMAGES_MAGIC = 0x00000803  # unsigned bytes in three dimensions
LABELS_MAGIC = 0x00000801  # unsigned bytes in one dimension

_KINDS = {IMAGES_MAGIC: "image", LABELS_MAGIC: "label"}


def read_images(path: Path) -> NDArray[np.uint8]:
    """The images of an IDX file: uint8 (images, height, width).

    Raises ImgclfError for a file that cannot be read, is of another kind, or holds not exactly the bytes it declares.
    """
    return _read(path, IMAGES_MAGIC)


def read_labels(path: Path, classes: int) -> NDArray[np.int32]:
    """The labels of an IDX file: int32 (images,), each from 0 to ``classes`` - 1; errors as for images."""
    return check_labels(_read(path, LABELS_MAGIC), classes, path)


def read_images_shape(path: Path) -> tuple[int, int, int]:
    """How many images of which height and width the header of an IDX file declares; the data are not read."""
    with named_errors(path), open_content(path) as stream:
        images, height, width = _read_header(stream, path, IMAGES_MAGIC)
    return images, height, width


def read_labels_count(path: Path) -> int:
    """How many labels the header of an IDX file declares; the data are not read."""
    with named_errors(path), open_content(path) as stream:
        return _read_header(stream, path, LABELS_MAGIC)[0]


def _read(path: Path, magic: int) -> NDArray[np.uint8]:
    with named_errors(path), open_content(path) as stream:
        shape = _read_header(stream, path, magic)
        return read_declared(stream, shape, path, most_bytes(path))


def _read_header(stream: io.BufferedIOBase, path: Path, magic: int) -> tuple[int, ...]:
    """The lengths of the dimensions, after a check of the magic number; its last byte is the number of dimensions."""
    start = stream.read(4)
    found = int.from_bytes(start, "big")
    if len(start) < 4 or found != magic:
        raise ImgclfError(
            f"{path}: not an IDX {_KINDS[magic]} file: {_describe_start(start)}, expected {magic:#010x}", hint=GET_AGAIN
        )
    dimensions = magic & 0xFF
    lengths = stream.read(4 * dimensions)
    if len(lengths) < 4 * dimensions:
        raise ImgclfError(
            f"{path}: cut short: its header has {4 + len(lengths)} of {4 + 4 * dimensions} bytes", hint=GET_AGAIN
        )
    return tuple(np.frombuffer(lengths, ">u4").tolist())


def _describe_start(start: bytes) -> str:
    if len(start) < 4:
        return f"holds {len(start)} bytes"
    found = int.from_bytes(start, "big")
    kind = f" (an IDX {_KINDS[found]} file)" if found in _KINDS else ""
    return f"starts with {found:#010x}{kind}"
