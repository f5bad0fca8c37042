"""Shifts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from imgclf.augmentation.base import FillValue, GeometricSettings
from imgclf.augmentation.geometry import Fill, Mode, filling, matrix, moved, whole_offsets, whole_shifts
from imgclf.augmentation.ranges import between
from imgclf.settings import Count, Misfit

if TYPE_CHECKING:
    import tensorflow as tf

Share = Annotated[float, Field(ge=0, le=1)]


class Shift(GeometricSettings):
    """Moves each image up or down and left or right: by whole pixels, or by a share of its height and width."""

    name: Literal["shift"] = Field(description="Move the image.")
    pixels: Count | None = Field(2, description="The most that an image is moved in each direction, in whole pixels.")
    fraction: Share | tuple[Share, Share] | None = Field(
        None,
        description="In place of `pixels`: the most that an image is moved, as a share of its height and of its width "
        "(one number: of both), between pixels too. 0: not that way.",
    )
    fill_mode: Mode | None = Field(
        None,
        description="What comes in from outside, as elsewhere. null: `constant` with `pixels`, `nearest` with "
        "`fraction`.",
    )
    fill_value: FillValue = 0.0

    numbers: ClassVar[int] = 2

    @model_validator(mode="after")
    def _one_measure(self) -> Shift:
        if self.fraction is not None and "pixels" not in self.model_fields_set:
            object.__setattr__(self, "pixels", None)  # written so into the run's experiment, which loads again
        if (self.pixels is None) == (self.fraction is None):
            raise Misfit(("fraction",), "give pixels or fraction, one of them; null takes one away", (("pixels",),))
        return self

    def fill(self) -> Fill:
        mode = self.fill_mode or ("nearest" if self.pixels is None else "constant")
        return filling(mode, self.fill_value)

    def matrices(self, numbers: tf.Tensor, height: int, width: int) -> tf.Tensor:
        if self.pixels is not None:
            return whole_shifts(numbers, self.pixels)
        vertical, horizontal = self.fraction if isinstance(self.fraction, tuple) else (self.fraction,) * 2
        assert vertical is not None
        assert horizontal is not None
        down = between(numbers[:, 0], -vertical * height, vertical * height)
        across = between(numbers[:, 1], -horizontal * width, horizontal * width)
        return matrix((1.0, 0.0, across), (0.0, 1.0, down))

    def apply(self, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        if self.pixels is None or self.fill().mode != "constant":
            return super().apply(images, numbers)
        return moved(images, whole_offsets(numbers, self.pixels), self.pixels, self.fill_value)
