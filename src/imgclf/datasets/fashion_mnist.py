"""Fashion-MNIST: 70,000 pictures of clothes in MNIST's format (Xiao, Rasul and Vollgraf, 2017, arXiv 1708.07747)."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from imgclf.datasets.base import DataPlaces, DatasetSettings, Splits, Target
from imgclf.datasets.published.idx_facts import HEIGHT, WIDTH, IdxDataset
from imgclf.settings import ImageShape

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
FASHION_MNIST = IdxDataset(
    title="Fashion-MNIST",
    targets=(Target("label", CLASS_NAMES),),
    folders=("fashion_mnist", "fashion-mnist"),
    keras_name="fashion-mnist",
    system_folders=(Path("/usr/share/datasets/fashion-mnist"),),
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    content_sha256=(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    obtain="On Debian and Ubuntu, `apt-get install dataset-fashion-mnist` is enough; elsewhere, fetch them from "
    "https://github.com/zalandoresearch/fashion-mnist (folder data/fashion).",
)


class FashionMnist(DatasetSettings):
    """Fashion-MNIST: 60,000 images to train on and 10,000 to test on, uint8 (28, 28, 1), light clothes on black."""

    publication: ClassVar[IdxDataset] = FASHION_MNIST
    name: Literal["fashion_mnist"] = Field(
        description="Fashion-MNIST, pictures of clothes: 28 x 28 pixels, one channel, 10 classes."
    )

    def known_shape(self) -> ImageShape:
        return HEIGHT, WIDTH, 1

    def known_targets(self) -> tuple[Target, ...]:
        return FASHION_MNIST.targets

    def load(self, places: DataPlaces, seed: int) -> Splits:
        # Imported here: numpy takes 150 ms, which a mistake in an experiment file should not cost.
        from imgclf.datasets.published.idx_dataset import load_idx_dataset

        return load_idx_dataset(FASHION_MNIST, self, places, seed)
