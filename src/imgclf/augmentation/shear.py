"""Shears."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from imgclf.augmentation.base import FillMode, FillValue, GeometricSettings
from imgclf.augmentation.geometry import Fill, filling, matrix
from imgclf.augmentation.ranges import between

if TYPE_CHECKING:
    import tensorflow as tf


class Shear(GeometricSettings):
    """Slants each image by an angle from -degrees to +degrees, as Keras' ``shear_range`` does.

    Rows slide left or right by the sine of the angle times their distance from the centre; what is seen of the height
    is its cosine.
    """

    name: Literal["shear"] = Field(description="Slant the image.")
    degrees: float = Field(10.0, gt=0, lt=90, description="The most that an image is slanted either way, in degrees.")
    fill_mode: FillMode = "nearest"
    fill_value: FillValue = 0.0

    numbers: ClassVar[int] = 1

    def fill(self) -> Fill:
        return filling(self.fill_mode, self.fill_value)

    def matrices(self, numbers: tf.Tensor, height: int, width: int) -> tf.Tensor:  # noqa: ARG002
        import tensorflow as tf

        angle = between(numbers[:, 0], -math.radians(self.degrees), math.radians(self.degrees))
        return matrix((1.0, -tf.sin(angle), 0.0), (0.0, tf.cos(angle), 0.0))
