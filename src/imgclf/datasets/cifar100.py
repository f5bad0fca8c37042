"""CIFAR-100: 60,000 photographs of 32 x 32 pixels in 100 classes, or the 20 above them (Krizhevsky, 2009)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from imgclf.datasets.base import DataPlaces, DatasetSettings, Splits, Target
from imgclf.datasets.published.cifar_facts import CHANNELS, SIDE, CifarDataset
from imgclf.settings import ImageShape

FINE = (
    "apple",
    "aquarium_fish",
    "baby",
    "bear",
    "beaver",
    "bed",
    "bee",
    "beetle",
    "bicycle",
    "bottle",
    "bowl",
    "boy",
    "bridge",
    "bus",
    "butterfly",
    "camel",
    "can",
    "castle",
    "caterpillar",
    "cattle",
    "chair",
    "chimpanzee",
    "clock",
    "cloud",
    "cockroach",
    "couch",
    "crab",
    "crocodile",
    "cup",
    "dinosaur",
    "dolphin",
    "elephant",
    "flatfish",
    "forest",
    "fox",
    "girl",
    "hamster",
    "house",
    "kangaroo",
    "keyboard",
    "lamp",
    "lawn_mower",
    "leopard",
    "lion",
    "lizard",
    "lobster",
    "man",
    "maple_tree",
    "motorcycle",
    "mountain",
    "mouse",
    "mushroom",
    "oak_tree",
    "orange",
    "orchid",
    "otter",
    "palm_tree",
    "pear",
    "pickup_truck",
    "pine_tree",
    "plain",
    "plate",
    "poppy",
    "porcupine",
    "possum",
    "rabbit",
    "raccoon",
    "ray",
    "road",
    "rocket",
    "rose",
    "sea",
    "seal",
    "shark",
    "shrew",
    "skunk",
    "skyscraper",
    "snail",
    "snake",
    "spider",
    "squirrel",
    "streetcar",
    "sunflower",
    "sweet_pepper",
    "table",
    "tank",
    "telephone",
    "television",
    "tiger",
    "tractor",
    "train",
    "trout",
    "tulip",
    "turtle",
    "wardrobe",
    "whale",
    "willow_tree",
    "wolf",
    "woman",
    "worm",
)
COARSE = (
    "aquatic_mammals",
    "fish",
    "flowers",
    "food_containers",
    "fruit_and_vegetables",
    "household_electrical_devices",
    "household_furniture",
    "insects",
    "large_carnivores",
    "large_man-made_outdoor_things",
    "large_natural_outdoor_scenes",
    "large_omnivores_and_herbivores",
    "medium_mammals",
    "non-insect_invertebrates",
    "people",
    "reptiles",
    "small_mammals",
    "trees",
    "vehicles_1",
    "vehicles_2",
)
CIFAR100 = CifarDataset(
    title="CIFAR-100",
    python_train=("train",),
    python_test=("test",),
    binary_train=("train.bin",),
    binary_test=("test.bin",),
    binary_labels=("coarse_labels", "fine_labels"),
    folders=("cifar-100-python", "cifar-100-binary", "cifar100"),
    archives=("cifar-100-python.tar.gz", "cifar-100-binary.tar.gz"),
    keras_places=(
        "cifar-100-python-target/cifar-100-python",
        "cifar-100-python",
        "cifar-100-python-target_archive",
        "cifar-100-python.tar.gz",
    ),
    archive_sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    archive_bytes=169_001_437,
)
TARGETS = {"fine": Target("label", FINE), "coarse": Target("label", COARSE)}


class Cifar100(DatasetSettings):
    """CIFAR-100: 50,000 photographs to train on and 10,000 to test on, uint8 (32, 32, 3)."""

    publication: ClassVar[CifarDataset] = CIFAR100
    name: Literal["cifar100"] = Field(description="CIFAR-100, photographs: 32 x 32 pixels, red-green-blue.")
    labels: Literal["fine", "coarse"] = Field("fine", description="`fine`: 100 classes; `coarse`: the 20 above them.")

    def known_shape(self) -> ImageShape:
        return SIDE, SIDE, CHANNELS

    def known_targets(self) -> tuple[Target, ...]:
        return (TARGETS[self.labels],)

    def load(self, places: DataPlaces, seed: int) -> Splits:
        # Imported here: numpy takes 150 ms, which a mistake in an experiment file should not cost.
        from imgclf.datasets.published.cifar_dataset import load_cifar

        return load_cifar(CIFAR100, self, TARGETS[self.labels], f"{self.labels}_labels", places, seed)
