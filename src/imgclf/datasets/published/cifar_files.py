"""CIFAR's files as they were published: python batches or the binary version, in a folder or still in their archive."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.published.cifar_facts import CHANNELS, SIDE, CifarDataset
from imgclf.datasets.published.narrow_pickle import read_narrow_pickle
from imgclf.datasets.published.whereabouts import Miss
from imgclf.datasets.stored.strict import GET_AGAIN, check_labels, named_errors
from imgclf.errors import ImgclfError
from imgclf.texts import few

Part = Literal["train", "test"]
PIXEL_BYTES = SIDE * SIDE * CHANNELS
_MOST_BYTES = 2**28  # all training images of CIFAR-100 in one pickle are 155 MB, all of an archive 186 MB
_MOST_MEMBERS = 1000
_MOST_HEADER_BYTES = 2**16
_LONG_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


class _Place(Protocol):
    """Where the files lie."""

    @property
    def path(self) -> Path: ...

    def names(self) -> set[str]:
        """The files that are there."""

    def contents(self, names: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
        """Some of the files, in any order."""


@dataclass(frozen=True)
class _Folder:
    path: Path

    def names(self) -> set[str]:
        return {file.name for file in self.path.iterdir() if file.is_file()}

    def contents(self, names: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
        for name in names:
            file = self.path / name
            with named_errors(file):
                _check_size(file.stat().st_size, file)
                yield name, file.read_bytes()


@dataclass(frozen=True)
class _Archive:
    """A .tar.gz that is read member by member and never unpacked to the disk."""

    path: Path

    def names(self) -> set[str]:
        with self._open() as archive:
            return {Path(member.name).name for member in self._members(archive)}

    def contents(self, names: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
        left = set(names)
        with self._open() as archive:
            for member in self._members(archive):
                name = Path(member.name).name
                if name not in left:
                    continue
                left.remove(name)
                file = archive.extractfile(member)
                assert file is not None
                yield name, file.read()
        if left:
            raise ImgclfError(f"{self.path}: lacks {', '.join(sorted(left))}, which it held before", hint=GET_AGAIN)

    def _members(self, archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        """The plain files. Raises ImgclfError where there is more than such an archive holds, before it is read."""
        total = 0
        for number, member in enumerate(archive, 1):
            total += member.size
            _check_size(total, self.path)
            if number > _MOST_MEMBERS:
                raise ImgclfError(f"{self.path}: holds more than {_MOST_MEMBERS:,} files", hint=GET_AGAIN)
            if member.isreg():
                yield member

    @contextmanager
    def _open(self) -> Iterator[tarfile.TarFile]:
        try:
            with named_errors(self.path), self._opened() as archive:
                yield archive
        except tarfile.TarError as error:
            raise ImgclfError(f"{self.path}: not a .tar.gz archive, or damaged: {error}", hint=GET_AGAIN) from error

    def _opened(self) -> tarfile.TarFile:
        try:
            return tarfile.open(self.path, "r|gz", tarinfo=_NarrowHeader)
        except TypeError as error:  # what tarfile raises where the header of gzip is cut short
            raise tarfile.ReadError("the header of its compression is cut short") from error


class _NarrowHeader(tarfile.TarInfo):
    """A member's header; refused where tarfile would read all of what it declares into memory at once."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _NarrowHeader:
        header = super().frombuf(buf, encoding, errors)
        if header.type in _LONG_HEADERS and header.size > _MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("a sparse file")
        return header


@dataclass(frozen=True)
class CifarFiles:
    """A place that holds all files of one of the two versions."""

    place: _Place
    dataset: CifarDataset
    is_binary: bool

    def describe(self) -> str:
        kind = "binary version" if self.is_binary else "python batches"
        return f"{self.place.path} ({kind})"

    def read(self, part: Part, labels: str, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """Images uint8 (images, 32, 32, 3) and labels int32 (images,) of a part, in the order of its files.

        ``labels`` is the name of the labels where an image has several. Raises ImgclfError where a file is not what it
        should be.
        """
        names = self.dataset.files(part, self.is_binary)
        total = self.dataset.train_images if part == "train" else self.dataset.test_images
        count = total // len(names)
        images, found = np.empty((total, SIDE, SIDE, CHANNELS), np.uint8), np.empty(total, np.int32)
        for name, content in self.place.contents(names):
            path = self.place.path / name
            first = names.index(name) * count
            rows, numbers = (self._binary if self.is_binary else self._python)(content, labels, path)
            if len(rows) != count:
                raise ImgclfError(f"{path}: must hold {count:,} images; got {len(rows):,}", hint=GET_AGAIN)
            images[first : first + count] = rows.reshape(count, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
            found[first : first + count] = check_labels(numbers, classes, path)
        return images, found

    def _binary(self, content: bytes, labels: str, path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        before = len(self.dataset.binary_labels)
        if len(content) % (before + PIXEL_BYTES):
            raise ImgclfError(
                f"{path}: must be records of {before + PIXEL_BYTES:,} bytes; got {len(content):,} bytes", hint=GET_AGAIN
            )
        records = np.frombuffer(content, np.uint8).reshape(-1, before + PIXEL_BYTES)
        return records[:, before:], records[:, self.dataset.binary_labels.index(labels)]

    def _python(self, content: bytes, labels: str, path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        batch = read_narrow_pickle(content, path)
        images, numbers = _entry(batch, "data", path), _entry(batch, labels, path)
        if not isinstance(images, np.ndarray) or images.shape[1:] != (PIXEL_BYTES,):
            found = getattr(images, "shape", type(images).__name__)
            raise ImgclfError(f"{path}: data: must be an array (images, {PIXEL_BYTES}); got {found}", hint=GET_AGAIN)
        if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
            raise ImgclfError(f"{path}: {labels}: must be a list of whole numbers", hint=GET_AGAIN)
        if len(numbers) != len(images):
            found = f"{len(numbers):,} labels for {len(images):,} images"
            raise ImgclfError(f"{path}: must hold one label an image; got {found}", hint=GET_AGAIN)
        if any(not 0 <= number < 2**31 for number in numbers):  # what check_labels could not be handed
            raise ImgclfError(f"{path}: {labels}: must be places of classes from 0", hint=GET_AGAIN)
        return images, np.array(numbers, np.int64)


def look_at(path: Path, dataset: CifarDataset) -> CifarFiles | Miss:
    """What lies at ``path``, a folder or an archive: the whole data set, or why it is not taken."""
    if not path.exists():
        return Miss(path, "not there", notable=False)
    place = _Folder(path) if path.is_dir() else _Archive(path)
    try:
        present = place.names()
    except ImgclfError as error:
        return Miss(path, str(error).removeprefix(f"{path}: "), notable=True)
    except OSError as error:
        return Miss(path, f"cannot be read: {error.strerror}", notable=True)
    missing = {}
    for is_binary in (False, True):
        wanted = [*dataset.files("train", is_binary), *dataset.files("test", is_binary)]
        lacking = [name for name in wanted if name not in present]
        if not lacking:
            return CifarFiles(place, dataset, is_binary)
        if len(lacking) < len(wanted):
            missing[is_binary] = lacking
    if not missing:
        return Miss(path, "holds none of the files", notable=False)
    fewest = min(missing.values(), key=len)
    return Miss(path, f"incomplete: lacks {', '.join(fewest)}", notable=True)


def _entry(batch: Any, name: str, path: Path) -> Any:
    if not isinstance(batch, dict) or name not in batch:
        found = few(sorted(batch)) if isinstance(batch, dict) else type(batch).__name__
        raise ImgclfError(f"{path}: must be a dict with the entry {name!r}; got {found}", hint=GET_AGAIN)
    return batch[name]


def _check_size(size: int, path: Path) -> None:
    if size > _MOST_BYTES:
        raise ImgclfError(f"{path}: {size:,} bytes, more than the {_MOST_BYTES:,} that are read at most")
