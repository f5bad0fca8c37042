"""The list of data sets: a new one is a file beside this one and its name in this union."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from imgclf.datasets.digits import Digits
from imgclf.datasets.fashion_mnist import FashionMnist
from imgclf.datasets.image_folder import ImageFolder
from imgclf.datasets.mnist import Mnist

DatasetUnion = Annotated[Digits | Mnist | FashionMnist | ImageFolder, Field(discriminator="name")]
