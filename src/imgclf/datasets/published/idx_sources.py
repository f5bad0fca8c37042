"""The places in which a data set in MNIST's format may lie, and how each of them is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.published.idx import read_images, read_images_shape, read_labels, read_labels_count
from imgclf.datasets.published.whereabouts import Miss
from imgclf.datasets.stored.npz import read_member, read_member_shape
from imgclf.datasets.stored.strict import check_counts, check_labels

Part = Literal["train", "test"]
IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class Source(Protocol):
    """A place that holds the whole data set."""

    def describe(self) -> str:
        """The place and its files, in one line."""

    def shape(self, part: Part) -> tuple[int, int, int]:
        """Images, height and width of a part as the headers of its files declare them; the data are not read."""

    def read(self, part: Part, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """Images (images, height, width) and labels (images,) of a part."""


def look_at(path: Path) -> IdxFolder | NpzFile | Miss:
    """What lies at ``path``, a folder or an .npz file: the whole data set, or why it is not taken."""
    if path.suffix != ".npz":
        return _look_at_folder(path)
    try:
        return NpzFile(path) if path.is_file() else Miss(path, "not there", notable=False)
    except OSError as error:
        return Miss(path, f"cannot be reached: {error.strerror}", notable=True)


@dataclass(frozen=True)
class IdxFolder:
    """The four IDX files of a folder, in the order of IDX_FILES."""

    folder: Path
    names: tuple[str, ...]

    def describe(self) -> str:
        return f"{self.folder} ({', '.join(self.names)})"

    def shape(self, part: Part) -> tuple[int, int, int]:
        images, labels = self._paths(part)
        shape = read_images_shape(images)
        check_counts(shape[0], read_labels_count(labels), labels)
        return shape

    def read(self, part: Part, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        images_path, labels_path = self._paths(part)
        labels = read_labels(labels_path, classes)
        images = read_images(images_path)
        check_counts(len(images), len(labels), labels_path)
        return images, labels

    def _paths(self, part: Part) -> tuple[Path, Path]:
        first = 0 if part == "train" else 2
        return self.folder / self.names[first], self.folder / self.names[first + 1]


@dataclass(frozen=True)
class NpzFile:
    """Keras' single file with the arrays x_train, y_train, x_test, y_test."""

    path: Path

    def describe(self) -> str:
        return str(self.path)

    def shape(self, part: Part) -> tuple[int, int, int]:
        images, height, width = read_member_shape(self.path, f"x_{part}", dimensions=3)
        check_counts(images, read_member_shape(self.path, f"y_{part}", dimensions=1)[0], self.path)
        return images, height, width

    def read(self, part: Part, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        labels = check_labels(read_member(self.path, f"y_{part}", dimensions=1), classes, self.path)
        images = read_member(self.path, f"x_{part}", dimensions=3)
        check_counts(len(images), len(labels), self.path)
        return images, labels


def _look_at_folder(folder: Path) -> IdxFolder | Miss:
    try:
        present = {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return Miss(folder, "not there", notable=False)
    except OSError as error:
        return Miss(folder, f"cannot be listed: {error.strerror}", notable=True)
    names = {file: _name_of(file, present) for file in IDX_FILES}
    missing = [file for file, name in names.items() if name is None]
    if len(missing) == len(IDX_FILES):
        return Miss(folder, "holds none of the files", notable=False)
    if missing:
        return Miss(folder, f"incomplete: lacks {', '.join(missing)} (plain or .gz)", notable=True)
    return IdxFolder(folder, tuple(name for name in names.values() if name is not None))


def _name_of(file: str, present: set[str]) -> str | None:
    """The name under which the file is there: some unpackers write a dot for the dash before "idx"."""
    dotted = file.replace("-idx", ".idx")
    return next((name for name in (file, f"{file}.gz", dotted, f"{dotted}.gz") if name in present), None)
