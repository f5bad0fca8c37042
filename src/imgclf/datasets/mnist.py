"""MNIST: 70,000 handwritten digits of 28 x 28 pixels (LeCun, Cortes and Burges, 1998)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from imgclf.datasets.base import DataPlaces, DatasetSettings, Splits, Target
from imgclf.datasets.published.idx_facts import HEIGHT, WIDTH, IdxDataset
from imgclf.settings import ImageShape

MNIST = IdxDataset(
    title="MNIST",
    targets=(Target("label", tuple("0123456789")),),
    folders=("mnist",),
    keras_name="mnist.npz",
    system_folders=(),
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
    content_sha256=(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    obtain="Where there is a network, fetch them from https://storage.googleapis.com/cvdf-datasets/mnist/ (add .gz to "
    "each name), or let keras.datasets.mnist.load_data() fill Keras' own cache.",
)


class Mnist(DatasetSettings):
    """MNIST: 60,000 images to train on and 10,000 to test on, uint8 (28, 28, 1), white digits on black."""

    publication: ClassVar[IdxDataset] = MNIST
    name: Literal["mnist"] = Field(description="MNIST, handwritten digits: 28 x 28 pixels, one channel, 10 classes.")

    def known_shape(self) -> ImageShape:
        return HEIGHT, WIDTH, 1

    def known_targets(self) -> tuple[Target, ...]:
        return MNIST.targets

    def load(self, places: DataPlaces, seed: int) -> Splits:
        # Imported here: numpy takes 150 ms, which a mistake in an experiment file should not cost.
        from imgclf.datasets.published.idx_dataset import load_idx_dataset

        return load_idx_dataset(MNIST, self, places, seed)
