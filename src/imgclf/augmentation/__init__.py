"""The list of augmentations: a new one is a file beside this one and its name in this union."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from imgclf.augmentation.flip import Flip
from imgclf.augmentation.rotate import Rotate
from imgclf.augmentation.shift import Shift

AugmentationUnion = Annotated[Flip | Shift | Rotate, Field(discriminator="name")]
