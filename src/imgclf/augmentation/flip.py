"""Flips at random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from imgclf.augmentation.base import GeometricSettings
from imgclf.augmentation.geometry import matrix, mirrored
from imgclf.settings import Misfit

if TYPE_CHECKING:
    import tensorflow as tf

Probability = Annotated[float, Field(gt=0, le=1)]


class Flip(GeometricSettings):
    """Turns left and right round, or top and bottom, of some of the images."""

    name: Literal["flip"] = Field(description="Mirror the image.")
    horizontal: bool = Field(True, description="Whether left becomes right.")
    vertical: bool = Field(False, description="Whether top becomes bottom.")
    probability: Probability = Field(
        0.5, description="Share of the images that are mirrored; of both ways, each is drawn by itself."
    )

    numbers: ClassVar[int] = 2

    @model_validator(mode="after")
    def _some_way(self) -> Flip:
        if not self.horizontal and not self.vertical:
            raise Misfit((), "flips nothing: horizontal or vertical must be true")
        return self

    def matrices(self, numbers: tf.Tensor, height: int, width: int) -> tf.Tensor:  # noqa: ARG002
        across, down = (1 - 2 * flipped for flipped in self._flipped(numbers))
        return matrix((across, 0.0, 0.0), (0.0, down, 0.0))

    def apply(self, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        across, down = self._flipped(numbers)
        images = mirrored(images, across, 2) if self.horizontal else images
        return mirrored(images, down, 1) if self.vertical else images

    def _flipped(self, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """1.0 for an image that is mirrored horizontally, vertically, else 0.0; (batch,) each."""
        import tensorflow as tf

        drawn = tf.cast(numbers < self.probability, tf.float32)
        return drawn[:, 0] * float(self.horizontal), drawn[:, 1] * float(self.vertical)
