"""The list of data sets: a new one is a file beside this one and its name in this union."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from imgclf.datasets.arrays import Hdf5, Npz
from imgclf.datasets.base import Publication
from imgclf.datasets.cifar10 import Cifar10
from imgclf.datasets.cifar100 import Cifar100
from imgclf.datasets.digits import Digits
from imgclf.datasets.fashion_mnist import FashionMnist
from imgclf.datasets.image_folder import ImageFolder
from imgclf.datasets.mnist import Mnist
from imgclf.datasets.quickdraw import QuickDraw

DatasetUnion = Annotated[
    Digits | Mnist | FashionMnist | Cifar10 | Cifar100 | QuickDraw | ImageFolder | Hdf5 | Npz,
    Field(discriminator="name"),
]


def publications() -> dict[str, Publication]:
    """What `imgclf data download` fetches, by the data sets' names, in the order of the list."""
    every = get_args(get_args(DatasetUnion)[0])
    return {get_args(one.model_fields["name"].annotation)[0]: one.publication for one in every if one.publication}
