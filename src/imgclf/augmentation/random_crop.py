"""Random crops."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from imgclf.augmentation.base import FillMode, FillValue, GeometricSettings
from imgclf.augmentation.geometry import Fill, filling, moved, whole_offsets, whole_shifts
from imgclf.settings import Count

if TYPE_CHECKING:
    import tensorflow as tf


class RandomCrop(GeometricSettings):
    """Pads each image on all sides, then cuts its size out of that at a random place, in whole pixels."""

    name: Literal["random_crop"] = Field(description="Pad, then crop at random.")
    padding: Count = Field(4, description="Pixels added on each side.")
    fill_mode: FillMode = "constant"
    fill_value: FillValue = 0.0

    numbers: ClassVar[int] = 2

    def fill(self) -> Fill:
        return filling(self.fill_mode, self.fill_value)

    def matrices(self, numbers: tf.Tensor, height: int, width: int) -> tf.Tensor:  # noqa: ARG002
        return whole_shifts(numbers, self.padding)

    def apply(self, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        if self.fill_mode != "constant":
            return super().apply(images, numbers)
        return moved(images, whole_offsets(numbers, self.padding), self.padding, self.fill_value)
