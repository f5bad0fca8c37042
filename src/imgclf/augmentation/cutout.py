"""Cutout."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from imgclf.augmentation.base import AugmentationSettings, PixelValue
from imgclf.augmentation.boxes import inside
from imgclf.augmentation.geometry import like

if TYPE_CHECKING:
    import tensorflow as tf


class Cutout(AugmentationSettings):
    """Paints a square of one value over each image, its centre at any pixel (DeVries and Taylor, 2017).

    Near the edge a part of the square falls outside.
    """

    name: Literal["cutout"] = Field(description="Paint a square over a part of the image.")
    fraction: float = Field(
        0.5, gt=0, le=1, description="Side of the square, as a share of the image's shorter side; rounded to pixels."
    )
    fill_value: PixelValue = Field(0.0, description="Value of the square, 0 to 255.")

    numbers: ClassVar[int] = 2

    def apply(self, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        height, width = images.shape[1:3]
        side = max(1, round(self.fraction * min(height, width)))
        square = inside(numbers, tf.constant([side, side]), height, width)
        return tf.where(square, like(tf.constant(self.fill_value), images), images)
