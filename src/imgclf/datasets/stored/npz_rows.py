"""Arrays in .npz files by name: a stored one is mapped where it lies, a compressed one is read alone."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np

from imgclf.datasets.stored.npy import GET_AGAIN, NpyHeader, read_npy_header
from imgclf.datasets.stored.npz import open_member
from imgclf.datasets.stored.rows import ArrayRows, Rows
from imgclf.datasets.stored.strict import read_declared
from imgclf.errors import ImgclfError

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # APPNOTE.TXT 4.3.7: signature, then lengths of the name and the extra field


class NpzArrays:
    """An .npz file; it is opened for each array and closed again, since numpy's own reading would unpickle."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> NpzArrays:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Nothing: no array has left it open."""

    def rows(self, name: str) -> Rows:
        """The array ``name``. Raises ImgclfError for anything but numbers in C order, whole."""
        path, where = self._path, f"{self._path}: {name}"
        with open_member(path, name) as (stream, member, most):
            header = read_npy_header(stream, where)
            if member.compress_type != zipfile.ZIP_STORED:
                shape = (header.data_bytes,)
                flat = read_declared(stream, shape, path, most) if header.data_bytes else np.empty(0, "u1")
                return ArrayRows(flat.view(header.dtype).reshape(header.shape), where)
        return ArrayRows(_map(path, member, header, where), where)

    def names(self, name: str) -> tuple[str, ...]:
        """The texts of an array (texts,) of type str or bytes. Raises ImgclfError where it holds anything else."""
        path, where = self._path, f"{self._path}: {name}"
        with open_member(path, name) as (stream, _, most):
            header = read_npy_header(stream, where, kinds="US")
            if len(header.shape) != 1 or not header.data_bytes:
                raise ImgclfError(f"{where}: must hold texts (classes,); got {header.dtype} {header.shape}")
            texts = read_declared(stream, (header.data_bytes,), path, most).view(header.dtype)
        try:
            return tuple(text.decode() if isinstance(text, bytes) else text for text in texts.tolist())
        except UnicodeDecodeError as error:
            raise ImgclfError(f"{where}: must hold texts in UTF-8: {error}") from error


def _map(path: Path, member: zipfile.ZipInfo, header: NpyHeader, where: str) -> np.ndarray:
    with path.open("rb") as file:
        file.seek(member.header_offset)
        signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    start = member.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
    end, declared = start + member.file_size, header.offset + header.data_bytes
    if signature != b"PK\x03\x04" or end > path.stat().st_size or declared != member.file_size:
        raise ImgclfError(
            f"{where}: must have {declared:,} bytes, as its header declares; got {member.file_size:,}", hint=GET_AGAIN
        )
    if not header.data_bytes:
        return np.empty(header.shape, header.dtype)
    return np.asarray(np.memmap(path, header.dtype, "r", start + header.offset, header.shape))
