"""The list of augmentations: a new one is a file beside this one and its name in this union."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from imgclf.augmentation.alternating_flip import AlternatingFlip
from imgclf.augmentation.brightness import Brightness
from imgclf.augmentation.channel_shift import ChannelShift
from imgclf.augmentation.contrast import Contrast
from imgclf.augmentation.cutmix import Cutmix
from imgclf.augmentation.cutout import Cutout
from imgclf.augmentation.flip import Flip
from imgclf.augmentation.mixup import Mixup
from imgclf.augmentation.random_crop import RandomCrop
from imgclf.augmentation.rotate import Rotate
from imgclf.augmentation.scale_jitter import ScaleJitter
from imgclf.augmentation.shear import Shear
from imgclf.augmentation.shift import Shift
from imgclf.augmentation.zoom import Zoom

AugmentationUnion = Annotated[
    Flip
    | AlternatingFlip
    | RandomCrop
    | Shift
    | Shear
    | Zoom
    | Rotate
    | ScaleJitter
    | ChannelShift
    | Brightness
    | Contrast
    | Cutout
    | Mixup
    | Cutmix,
    Field(discriminator="name"),
]
