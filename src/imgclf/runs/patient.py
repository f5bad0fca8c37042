"""A file for libraries that can't be told that the disk is full."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any


class PatientFile(io.BytesIO):
    """A new file at ``path`` that takes whatever is written, and raises the system's first refusal when it is closed.

    HDF5 ends the whole process with a segmentation fault where it can't write what it still holds while it closes a
    file (seen with HDF5 1.14.6 on a full disk). Of open files, Keras takes this kind alone, by the name that it prints.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self._refusal = path, None  # type: tuple[Path, OSError | None]
        self._file = path.open("w+b", buffering=0)

    def __str__(self) -> str:
        return str(self._path)

    def write(self, data: Any, /) -> int:
        """All of ``data``; what comes after a refusal is dropped."""
        whole = rest = memoryview(data).cast("B")
        try:
            while self._refusal is None and rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._refusal = error
        return len(whole)

    def readinto(self, buffer: Any, /) -> int:
        return self._file.readinto(buffer)

    def read(self, size: int | None = -1, /) -> bytes:
        return self._file.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None, /) -> int:
        try:
            return self._file.truncate(size)
        except OSError as error:
            self._refusal = self._refusal or error
            return self._file.tell() if size is None else size

    def close(self) -> None:
        """Raises OSError where the system refused anything since the file was opened."""
        refusal, self._refusal = self._refusal, None
        self._file.close()
        super().close()
        if refusal is not None:
            raise refusal
