"""Rotations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from imgclf.augmentation.base import FillMode, FillValue, GeometricSettings
from imgclf.augmentation.geometry import Fill, filling, matrix
from imgclf.augmentation.ranges import between

if TYPE_CHECKING:
    import tensorflow as tf


class Rotate(GeometricSettings):
    """Turns each image about its centre by an angle from -degrees to +degrees, each equally likely."""

    name: Literal["rotate"] = Field(description="Turn the image about its centre.")
    degrees: float = Field(10.0, gt=0, le=180, description="The most that an image is turned either way, in degrees.")
    fill_mode: FillMode = "nearest"
    fill_value: FillValue = 0.0

    numbers: ClassVar[int] = 1

    def fill(self) -> Fill:
        return filling(self.fill_mode, self.fill_value)

    def matrices(self, numbers: tf.Tensor, height: int, width: int) -> tf.Tensor:  # noqa: ARG002
        import tensorflow as tf

        angle = between(numbers[:, 0], -math.radians(self.degrees), math.radians(self.degrees))
        sine, cosine = tf.sin(angle), tf.cos(angle)
        return matrix((cosine, -sine, 0.0), (sine, cosine, 0.0))
