"""What a checkpoint's folder holds: a sealed manifest, all arrays in one file; read only where every byte is sound."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imgclf.errors import ImgclfError, WorkFailed
from imgclf.runs.files import PIECE_BYTES, flush, sha256_of

VERSION: Final = 2
MANIFEST, ARRAYS = "manifest.json", "arrays.bin"
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[0-9A-Za-z_][0-9A-Za-z_.]*$")]
States = Mapping[str, Mapping[str, Any]]  # by part, by name: an array, or what JSON holds
Tell = Callable[[int, int], None]  # arrays written, of how many


class Damaged(Exception):
    """A checkpoint that is not as it was written; the message says in what."""


class FileEntry(BaseModel):
    """A file of a checkpoint: its size in bytes and its SHA-256."""

    model_config = ConfigDict(strict=True, extra="forbid")

    size: int = Field(ge=0)
    sha256: Digest


class ArrayEntry(FileEntry):
    """An array: where it begins in the file of all arrays, in bytes; its shape and type."""

    offset: int = Field(ge=0)
    shape: list[Annotated[int, Field(ge=0)]]
    dtype: str = Field(pattern="^(bool|float(16|32|64)|u?int(8|16|32|64))$")


class Manifest(BaseModel):
    """What a checkpoint holds. Its JSON is Python's, which has infinity and NaN.

    Its file also bears the SHA-256 of the text that :func:`_content` makes of all else, in whatever version.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    version: Literal[2] = VERSION
    step: int = Field(ge=0)
    experiment: str
    numbers: dict[str, dict[str, Any]]
    arrays: dict[str, dict[str, ArrayEntry]]
    files: dict[FileName, FileEntry]


@dataclass(frozen=True)
class StoredArray:
    """An array of a checkpoint, which is read when it is asked for; ``sha256`` is of its bytes."""

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: str
    sha256: str

    def load(self) -> NDArray[Any]:
        """The array, in memory of its own."""
        dtype, count = np.dtype(self.dtype).newbyteorder("<"), math.prod(self.shape)
        return np.fromfile(self.path, dtype, count, offset=self.offset).reshape(self.shape)


@dataclass(frozen=True)
class Checkpoint:
    """A sound checkpoint: its folder, the step that it was made after, the digest of its experiment, its content."""

    path: Path
    step: int
    experiment: str
    states: States
    files: Mapping[str, Path]


def fill(folder: Path, step: int, experiment: str, states: States, files: Mapping[str, Path], tell: Tell) -> None:
    """Write the files of a checkpoint, and the manifest after all others."""
    numbers: dict[str, dict[str, Any]] = {part: {} for part in states}
    arrays: dict[str, dict[str, ArrayEntry]] = {part: {} for part in states}
    total = sum(_is_array(value) for state in states.values() for value in state.values())
    with (folder / ARRAYS).open("wb") as file:  # one for all: the disk is waited for once, not for each array
        for part, name, value in _entries(states):
            if _is_array(value):
                arrays[part][name] = _write_array(file, value)
                tell(sum(map(len, arrays.values())), total)
            else:
                numbers[part][name] = value
    flush(folder / ARRAYS)
    linked = {}
    for name, source in files.items():
        link_or_copy(source, folder / name)
        linked[name] = FileEntry(size=source.stat().st_size, sha256=sha256_of(folder / name))
    manifest = Manifest(step=step, experiment=experiment, numbers=numbers, arrays=arrays, files=linked)
    (folder / MANIFEST).write_text(_sealed(manifest.model_dump()), encoding="utf-8")
    flush(folder / MANIFEST)
    flush(folder)


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a folder, after all its files have been read once.

    Raises Damaged where it is not as it was written, ImgclfError where another version of the program wrote it, and
    WorkFailed where the system refuses to read it, which says nothing about the checkpoint.
    """
    manifest = _read_manifest(path / MANIFEST)
    if manifest.step != step_of(path):
        raise Damaged(f"{MANIFEST} is of step {manifest.step}")
    arrays = {
        part: {name: _stored(path, name, entry) for name, entry in entries.items()}
        for part, entries in manifest.arrays.items()
    }
    for name, entry in manifest.files.items():
        _check_file(path / name, entry)
    parts = dict.fromkeys([*manifest.numbers, *manifest.arrays])
    states = {part: {**manifest.numbers.get(part, {}), **arrays.get(part, {})} for part in parts}
    return Checkpoint(path, manifest.step, manifest.experiment, states, {name: path / name for name in manifest.files})


def step_of(path: Path) -> int:
    """The step that a checkpoint's folder is named after."""
    return int(path.name.removeprefix("step-"))


def link_or_copy(source: Path, target: Path) -> None:
    """Have ``target`` hold what ``source`` holds now, also when ``source`` is replaced."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
        flush(target)


def _sealed(value: dict[str, Any]) -> str:
    """The text of a manifest's file."""
    seal = hashlib.sha256(_content(value).encode()).hexdigest()
    return _content({"sha256": seal, **value})


def _content(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=1) + "\n"


def _read_manifest(path: Path) -> Manifest:
    """The manifest in a file, to whose every byte its SHA-256 holds. Raises as :func:`read_checkpoint` does."""
    with _reading(path):
        content = path.read_bytes()
    try:
        text = content.decode()
        value = json.loads(text)
        seal = value.pop("sha256", None) if isinstance(value, dict) else None
        is_sealed = seal is not None and text == _sealed(value)
        if is_sealed or seal is None:
            _check_version(path.parent, value)
        manifest = Manifest.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise Damaged(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path.name} is no JSON: {error}") from error
    if not is_sealed:
        raise Damaged(f"the content of {path.name} is not what was written (SHA-256)")
    return manifest


def _check_version(checkpoint: Path, manifest: Any) -> None:
    """Raise ImgclfError where a manifest says that it is of another version."""
    version = manifest.get("version") if isinstance(manifest, dict) else None
    if type(version) is int and version != VERSION:
        raise ImgclfError(
            f"{checkpoint}: was written by another version of imgclf (format {version}; this one reads {VERSION})",
            hint="go on with that version: run.json names it under versions",
        )


def _entries(states: States) -> Iterator[tuple[str, str, Any]]:
    for part, state in states.items():
        for name, value in state.items():
            yield part, name, value


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape")


def _write_array(file: IO[bytes], value: Any) -> ArrayEntry:
    array = np.asarray(value.numpy() if hasattr(value, "numpy") else value, order="C")
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    data, offset = array.reshape(-1).view(np.uint8).data, file.tell()
    file.write(data)
    sha256 = hashlib.sha256(data).hexdigest()
    return ArrayEntry(offset=offset, size=array.nbytes, sha256=sha256, shape=list(array.shape), dtype=array.dtype.name)


def _stored(folder: Path, name: str, entry: ArrayEntry) -> StoredArray:
    path = folder / ARRAYS
    array = StoredArray(path, entry.offset, tuple(entry.shape), entry.dtype, entry.sha256)
    if entry.size != math.prod(entry.shape) * np.dtype(entry.dtype).itemsize:
        raise Damaged(f"{MANIFEST}: {name} has another size than its shape and type have")
    with _reading(path):
        size, sha256 = path.stat().st_size, _sha256_of_piece(path, entry.offset, entry.size)
    if size < entry.offset + entry.size:
        raise Damaged(f"{path.name} ends before {name}")
    if sha256 != entry.sha256:
        raise Damaged(f"{name} in {path.name} is not what was written (SHA-256)")
    return array


def _sha256_of_piece(path: Path, offset: int, size: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(offset)
        while size > 0 and (piece := file.read(min(size, PIECE_BYTES))):
            digest.update(piece)
            size -= len(piece)
    return digest.hexdigest()


def _check_file(path: Path, entry: FileEntry) -> None:
    """Raise Damaged where a file is not the one that was written."""
    with _reading(path):
        size, sha256 = path.stat().st_size, sha256_of(path)
    if size != entry.size:
        raise Damaged(f"{path.name} must have {entry.size:,} bytes; it has {size:,}")
    if sha256 != entry.sha256:
        raise Damaged(f"the content of {path.name} is not what was written (SHA-256)")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Raises Damaged where ``path`` is missing or no file, WorkFailed where the system refuses to read it."""
    try:
        yield
    except FileNotFoundError as error:
        raise Damaged(f"{path.name} is missing") from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise Damaged(f"{path.name} is no file: {error.strerror}") from error
    except OSError as error:
        raise not_read(path, error) from error


def not_read(path: Path, error: OSError) -> WorkFailed:
    """What the user is told where the system refuses to read ``path``."""
    return WorkFailed(
        f"{path}: can't be read: {error.strerror or error}",
        hint="nothing was changed; where it never can be read, move it away: the checkpoint before it is used then",
    )
