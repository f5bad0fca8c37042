"""The list of data sets: a new one is a file beside this one and its name in this union."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from imgclf.datasets.base import DatasetSettings
from imgclf.datasets.digits import Digits
from imgclf.datasets.fashion_mnist import FashionMnist
from imgclf.datasets.mnist import Mnist

DatasetUnion = Annotated[Digits | Mnist | FashionMnist, Field(discriminator="name")]

DATASETS: tuple[type[DatasetSettings], ...] = get_args(get_args(DatasetUnion)[0])
