"""The one file in which Keras keeps MNIST: an .npz of x_train, y_train, x_test, y_test, all uint8."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.stored.npy import read_array_header
from imgclf.datasets.stored.strict import GET_AGAIN, ZIP_ERRORS, most_unpacked, named_errors, read_declared
from imgclf.errors import ImgclfError


def read_member(path: Path, name: str, dimensions: int) -> NDArray[np.uint8]:
    """One uint8 array of an .npz file, read alone: the others are left on the disk.

    Never unpickles: any other type, order or number of dimensions is an ImgclfError, as are missing or left-over bytes.
    """
    with open_member(path, name) as (stream, _, most):
        shape = _read_header(stream, path, name, dimensions)
        return read_declared(stream, shape, path, most)


def read_member_shape(path: Path, name: str, dimensions: int) -> tuple[int, ...]:
    """The shape that the header of one array of an .npz file declares; the data are not read."""
    with open_member(path, name) as (stream, _, _):
        return _read_header(stream, path, name, dimensions)


@contextmanager
def open_member(path: Path, name: str) -> Iterator[tuple[io.BufferedIOBase, zipfile.ZipInfo, int]]:
    """The bytes of the file ``name``.npy in the archive, its entry there, and the most that they can be."""
    try:
        with named_errors(path), zipfile.ZipFile(path) as archive:
            if f"{name}.npy" not in archive.namelist():
                raise ImgclfError(f"{path}: holds no array {name!r}; got {archive.namelist()}", hint=GET_AGAIN)
            member = archive.getinfo(f"{name}.npy")
            _check_packing(path, member)
            with archive.open(member) as stream:
                assert isinstance(stream, zipfile.ZipExtFile)
                yield stream, member, min(member.file_size, most_unpacked(member.compress_size))
    except ZIP_ERRORS as error:
        raise ImgclfError(f"{path}: not an .npz file, or damaged: {error}", hint=GET_AGAIN) from error


def _check_packing(path: Path, member: zipfile.ZipInfo) -> None:
    encrypted = member.flag_bits & 1
    if encrypted or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ImgclfError(
            f"{path}: {member.filename}: must be stored or deflated, as numpy does it; got "
            + ("encryption" if encrypted else f"zip method {member.compress_type}"),
            hint=GET_AGAIN,
        )


def _read_header(stream: io.BufferedIOBase, path: Path, name: str, dimensions: int) -> tuple[int, ...]:
    try:
        shape, fortran, dtype = read_array_header(stream)
    except ValueError as error:
        raise ImgclfError(f"{path}: {name}: not a numpy array: {error}", hint=GET_AGAIN) from error
    if dtype != np.uint8 or fortran or len(shape) != dimensions:
        raise ImgclfError(
            f"{path}: {name}: must be uint8 with {dimensions} dimensions in C order; got {dtype} {shape}"
            + (" in Fortran order" if fortran else ""),
            hint=GET_AGAIN,
        )
    return tuple(shape)
