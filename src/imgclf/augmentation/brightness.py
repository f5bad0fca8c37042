"""Brightness."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from imgclf.augmentation.base import AugmentationSettings
from imgclf.augmentation.geometry import like
from imgclf.augmentation.ranges import FactorRange, between, bounds

if TYPE_CHECKING:
    import tensorflow as tf


class Brightness(AugmentationSettings):
    """Multiplies the pixels of each image by a factor from a range, each equally likely; cut at 255."""

    name: Literal["brightness"] = Field(description="Make the image darker or brighter.")
    range: FactorRange = Field(0.2, description="Of the factors: 0.2 is from 0.8 to 1.2, as is [0.8, 1.2].")

    numbers: ClassVar[int] = 1

    def apply(self, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        factors = between(numbers, *bounds(self.range))[:, :, None, None]
        return like(tf.cast(images, tf.float32) * factors, images)
