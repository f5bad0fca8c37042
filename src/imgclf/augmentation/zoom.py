"""Zooms."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from imgclf.augmentation.base import FillMode, FillValue, GeometricSettings
from imgclf.augmentation.geometry import Fill, filling, matrix
from imgclf.augmentation.ranges import FactorRange, between, bounds

if TYPE_CHECKING:
    import tensorflow as tf


class Zoom(GeometricSettings):
    """Enlarges or shrinks each image about its centre by a factor from a range, each equally likely."""

    name: Literal["zoom"] = Field(description="Enlarge or shrink the image.")
    range: FactorRange = Field(
        0.2,
        description="Part of the height and width that is seen, as Keras' zoom_range: 0.3 is from 0.7 (enlarged) to "
        "1.3 (shrunk), as is [0.7, 1.3].",
    )
    axes: Literal["together", "separately"] = Field(
        "together",
        description="`together`: one factor for height and width, which keeps shapes; `separately`: one each, as "
        "Keras' zoom_range.",
    )
    fill_mode: FillMode = "nearest"
    fill_value: FillValue = 0.0

    numbers: ClassVar[int] = 2

    def fill(self) -> Fill:
        return filling(self.fill_mode, self.fill_value)

    def matrices(self, numbers: tf.Tensor, height: int, width: int) -> tf.Tensor:  # noqa: ARG002
        seen = between(numbers, *bounds(self.range))
        down, across = seen[:, 0], seen[:, 0 if self.axes == "together" else 1]
        return matrix((across, 0.0, 0.0), (0.0, down, 0.0))
