"""Contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from imgclf.augmentation.base import AugmentationSettings
from imgclf.augmentation.geometry import like
from imgclf.augmentation.ranges import FactorRange, between, bounds

if TYPE_CHECKING:
    import tensorflow as tf


class Contrast(AugmentationSettings):
    """Multiplies each pixel's distance from the mean of its channel by a factor from a range; cut at 0 and 255."""

    name: Literal["contrast"] = Field(description="Make the image flatter or starker.")
    range: FactorRange = Field(0.2, description="Of the factors: 0.2 is from 0.8 to 1.2, as is [0.8, 1.2].")

    numbers: ClassVar[int] = 1

    def apply(self, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        factors = between(numbers, *bounds(self.range))[:, :, None, None]
        pixels = tf.cast(images, tf.float32)
        mean = tf.reduce_mean(pixels, axis=[1, 2], keepdims=True)
        return like(mean + factors * (pixels - mean), images)
