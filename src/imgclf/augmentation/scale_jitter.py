"""Scale jitter."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from imgclf.augmentation.base import FillMode, FillValue, GeometricSettings
from imgclf.augmentation.geometry import Fill, filling, matrix
from imgclf.augmentation.ranges import Bounds, between

if TYPE_CHECKING:
    import tensorflow as tf


class ScaleJitter(GeometricSettings):
    """Resizes each image by a random scale, then cuts a window of the image's size out at a random place.

    As VGG's training images (Simonyan and Zisserman, 2015, section 3.1). Below scale 1 the whole image lies somewhere
    in the window.
    """

    name: Literal["scale_jitter"] = Field(description="Resize at random, then crop to the image's size.")
    scales: Bounds = Field((1.0, 1.25), description="The least and the greatest scale; each between is equally likely.")
    fill_mode: FillMode = "nearest"
    fill_value: FillValue = 0.0

    numbers: ClassVar[int] = 3

    def fill(self) -> Fill:
        return filling(self.fill_mode, self.fill_value)

    def matrices(self, numbers: tf.Tensor, height: int, width: int) -> tf.Tensor:
        scale = between(numbers[:, 0], *self.scales)
        # From the centre, in pixels of the resized image: as far as the window lies within it.
        down = between(numbers[:, 1], -0.5, 0.5) * (scale - 1) * height
        across = between(numbers[:, 2], -0.5, 0.5) * (scale - 1) * width
        return matrix((1 / scale, 0.0, across / scale), (0.0, 1 / scale, down / scale))
