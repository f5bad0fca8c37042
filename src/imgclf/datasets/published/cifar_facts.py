"""What is known of CIFAR-10 and CIFAR-100 before any of their files is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imgclf.datasets.base import DataPlaces

SIDE, CHANNELS = 32, 3
MIRROR = "https://www.cs.toronto.edu/~kriz/"


@dataclass(frozen=True)
class CifarDataset:
    """One of the two data sets as it was published (Krizhevsky, "Learning Multiple Layers of Features", 2009).

    Files are named for the python batches and for the binary version; ``binary_labels`` are the labels that stand
    before an image's pixels in the latter, in their order. ``archives`` are the packed files, the first of which is
    downloaded; ``archive_sha256`` is that of this first one as it lies on the mirror, ``archive_bytes`` its size.
    ``keras_places`` lie in Keras' cache.
    """

    title: str
    python_train: tuple[str, ...]
    python_test: tuple[str, ...]
    binary_train: tuple[str, ...]
    binary_test: tuple[str, ...]
    binary_labels: tuple[str, ...]
    folders: tuple[str, ...]
    archives: tuple[str, ...]
    keras_places: tuple[str, ...]
    archive_sha256: str
    archive_bytes: int
    mirrors: tuple[str, ...] = (MIRROR,)
    train_images: int = 50_000
    test_images: int = 10_000
    by_class: bool = False

    def files(self, part: Literal["train", "test"], is_binary: bool) -> tuple[str, ...]:
        """The files of a part, in order."""
        if part == "train":
            return self.binary_train if is_binary else self.python_train
        return self.binary_test if is_binary else self.python_test

    def fetch(self, places: DataPlaces, classes: Sequence[str], say: Callable[[str], None]) -> None:  # noqa: ARG002
        """Find or download it whole, and say where it is. Raises ImgclfError where it can't be had."""
        from imgclf.datasets.published.cifar_dataset import cifar_whereabouts
        from imgclf.datasets.published.whereabouts import tell_where

        tell_where(cifar_whereabouts(self, places.data_dir), places, say)

    def find(self, data_dir: Path) -> str | None:
        """Where it lies on this machine, in one line; None: nowhere. Raises ImgclfError where only a part is there."""
        from imgclf.datasets.published.cifar_dataset import cifar_whereabouts
        from imgclf.datasets.published.whereabouts import where

        return where(cifar_whereabouts(self, data_dir))
