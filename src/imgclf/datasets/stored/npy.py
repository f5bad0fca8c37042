"""Arrays in numpy's own format, .npy, mapped from their files: headers are checked, nothing is unpickled."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.stored.strict import named_errors
from imgclf.errors import ImgclfError
from imgclf.images.quiet import without_warnings

GET_AGAIN = "Get the file again from where it came."

_MAX_HEADER_BYTES = 10_000  # numpy writes 128; its own reader refuses more than this, too


@dataclass(frozen=True)
class NpyHeader:
    """What a .npy file declares: the array's shape and type, always in C order, and where its bytes begin."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int

    @property
    def data_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def map_npy(path: Path) -> NDArray[Any]:
    """The array of a .npy file, mapped: its pages are read when they are touched, and belong to the system's cache.

    Raises ImgclfError unless the file has exactly the size that its header declares, in C order, of numbers.
    """
    with named_errors(path), path.open("rb") as file:
        header = read_npy_header(file, str(path))
        size = path.stat().st_size
    if size != header.offset + header.data_bytes:
        raise ImgclfError(
            f"{path}: must have {header.offset + header.data_bytes:,} bytes for the {header.shape} {header.dtype} that "
            f"its header declares; got {size:,}",
            hint=GET_AGAIN,
        )
    if header.data_bytes == 0:
        return np.empty(header.shape, header.dtype)
    return np.asarray(np.memmap(path, header.dtype, "r", header.offset, header.shape))


def read_npy_header(stream: io.BufferedIOBase, where: str, kinds: str = "buif") -> NpyHeader:
    """The header at the start of the stream; ``where`` begins the message.

    Raises ImgclfError for other types than those of numpy's ``kinds`` (numbers by default), and for Fortran order.
    """
    try:
        shape, fortran, dtype = read_array_header(stream)
    except ValueError as error:
        raise ImgclfError(f"{where}: not a numpy array: {error}", hint=GET_AGAIN) from error
    if dtype.kind not in kinds or (fortran and len(shape) > 1):
        raise ImgclfError(
            f"{where}: must hold {'numbers' if 'f' in kinds else 'texts'} in C order; got {dtype}"
            + (" in Fortran order" if fortran else ""),
            hint="numpy.ascontiguousarray(array) puts an array into C order." if fortran else GET_AGAIN,
        )
    return NpyHeader(tuple(shape), dtype, stream.tell())


def read_array_header(stream: io.BufferedIOBase) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and type that the header at the start of the stream declares.

    Raises ValueError, in one line, for anything but such a header, and what reading from the stream raises.
    """
    version = np.lib.format.read_magic(stream)
    if version not in _VERSIONS:
        raise ValueError(f"version {version} of the format, which no array of numbers needs")
    length_bytes, parse = _VERSIONS[version]
    start = stream.read(length_bytes)
    length = int.from_bytes(start, "little")
    if length > _MAX_HEADER_BYTES:
        raise ValueError(f"a header of {length:,} bytes")
    header = io.BytesIO(start + stream.read(length))
    try:
        with without_warnings():  # numpy warns of headers that Python 2 wrote
            shape, fortran, dtype = parse(header)
    except Exception as error:  # numpy has Python parse the header: a damaged one raises a dozen types
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error
    if any(not 0 <= side < 2**63 for side in shape):
        raise ValueError(f"its header declares the shape {shape}")
    return shape, fortran, dtype


_VERSIONS = {
    (1, 0): (2, np.lib.format.read_array_header_1_0),
    (2, 0): (4, np.lib.format.read_array_header_2_0),
}
