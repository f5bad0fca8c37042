"""Arrays of a run that are not weights: a plain .npz of float32 numbers, read only as what it should be."""

from __future__ import annotations

import io
import math
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imgclf.errors import ImgclfError
from imgclf.runs.files import replacing, sha256_of

_HEADER_BYTES = 2**16  # more than any header of the format's version 1 has

# What zipfile raises for a damaged archive beside OSError; the last for a name that is no text.
_ZIP_ERRORS = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, struct.error, UnicodeDecodeError)

Shape = tuple[int, ...]


def save_arrays(path: Path, arrays: Mapping[str, NDArray[np.float32]]) -> str:
    """Write the arrays, whole or not at all; returns the SHA-256 of the file. Equal arrays give equal files."""
    with replacing(path) as temporary:
        np.savez(temporary, **arrays)  # type: ignore[arg-type]  # for mypy, a name may be allow_pickle
    return sha256_of(path)


def load_arrays(path: Path, shapes: Mapping[str, Shape], sha256: str | None) -> dict[str, NDArray[np.float32]]:
    """The arrays of a file of :func:`save_arrays`: those of ``shapes``, each of its shape, finite float32.

    Never unpickles, and reads no more than such arrays take. Raises ImgclfError for any other file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_names(path, archive, shapes)
            arrays = {name: _read(path, archive.getinfo(f"{name}.npy"), archive, shapes[name]) for name in shapes}
        found = sha256_of(path)
    except FileNotFoundError as error:
        raise ImgclfError(
            f"{path}: no such file, and the run's preprocessing needs it", hint="copy the run's folder as a whole"
        ) from error
    except _ZIP_ERRORS as error:
        raise ImgclfError(f"{path}: not an .npz file, or damaged: {error}") from error
    except OSError as error:
        raise ImgclfError(f"{path}: cannot be read: {error.strerror or error}") from error
    if found != sha256:
        raise ImgclfError(f"{path}: must be the file that the run wrote, with SHA-256 {sha256}; got {found}")
    return arrays


def _check_names(path: Path, archive: zipfile.ZipFile, shapes: Mapping[str, Shape]) -> None:
    found, wanted = sorted(archive.namelist()), sorted(f"{name}.npy" for name in shapes)
    if found != wanted:
        raise ImgclfError(f"{path}: must hold {', '.join(wanted)}; got {', '.join(found[:8]) or 'nothing'}")


def _read(path: Path, member: zipfile.ZipInfo, archive: zipfile.ZipFile, shape: Shape) -> NDArray[np.float32]:
    size = 4 * math.prod(shape)
    if member.flag_bits & 1 or member.compress_type != zipfile.ZIP_STORED:
        raise ImgclfError(f"{path}: {member.filename}: must be stored as it is, without compression or encryption")
    if not size < member.file_size <= size + _HEADER_BYTES:
        raise _not_the_array(path, member, shape, f"{member.file_size:,} bytes")
    stream = io.BytesIO(archive.read(member))
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError("a version of the format that no array of numbers needs")
        found, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    except Exception as error:  # numpy has Python parse the header: a damaged one raises a dozen types
        words = " ".join(str(error).split())
        raise ImgclfError(f"{path}: {member.filename}: not a numpy array: {words}") from error
    if dtype != np.float32 or fortran or found != shape:
        order = " in Fortran order" if fortran else ""
        raise _not_the_array(path, member, shape, f"{dtype} {found}{order}")
    data = stream.getbuffer()[stream.tell() :]
    if len(data) != size:
        raise _not_the_array(path, member, shape, f"{len(data):,} bytes of data")
    array = np.frombuffer(data, np.float32).reshape(shape)
    if not np.isfinite(array).all():
        raise ImgclfError(f"{path}: {member.filename}: every number must be finite")
    return array


def _not_the_array(path: Path, member: zipfile.ZipInfo, shape: Shape, found: str) -> ImgclfError:
    return ImgclfError(f"{path}: {member.filename}: must be float32 {shape} in C order; got {found}")
