"""CIFAR-10: 60,000 photographs of 32 x 32 pixels in ten classes (Krizhevsky, 2009)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from imgclf.datasets.base import DataPlaces, DatasetSettings, Splits, Target
from imgclf.datasets.published.cifar_facts import CHANNELS, SIDE, CifarDataset
from imgclf.settings import ImageShape

_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
CIFAR10 = CifarDataset(
    title="CIFAR-10",
    python_train=_BATCHES,
    python_test=("test_batch",),
    binary_train=tuple(f"{name}.bin" for name in _BATCHES),
    binary_test=("test_batch.bin",),
    binary_labels=("labels",),
    folders=("cifar-10-batches-py", "cifar-10-batches-bin", "cifar10"),
    archives=("cifar-10-python.tar.gz", "cifar-10-binary.tar.gz"),
    keras_places=(
        "cifar-10-batches-py-target/cifar-10-batches-py",
        "cifar-10-batches-py",
        "cifar-10-batches-py-target_archive",
        "cifar-10-batches-py.tar.gz",
    ),
    archive_sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    archive_bytes=170_498_071,
)
TARGET = Target("label", _CLASSES)


class Cifar10(DatasetSettings):
    """CIFAR-10: 50,000 photographs to train on and 10,000 to test on, uint8 (32, 32, 3)."""

    publication: ClassVar[CifarDataset] = CIFAR10
    name: Literal["cifar10"] = Field(description="CIFAR-10, photographs: 32 x 32 pixels, red-green-blue, 10 classes.")

    def known_shape(self) -> ImageShape:
        return SIDE, SIDE, CHANNELS

    def known_targets(self) -> tuple[Target, ...]:
        return (TARGET,)

    def load(self, places: DataPlaces, seed: int) -> Splits:
        # Imported here: numpy takes 150 ms, which a mistake in an experiment file should not cost.
        from imgclf.datasets.published.cifar_dataset import load_cifar

        return load_cifar(CIFAR10, self, TARGET, "labels", places, seed)
