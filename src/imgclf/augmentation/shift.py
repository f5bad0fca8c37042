"""Shifts."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from imgclf.augmentation.base import AugmentationSettings
from imgclf.settings import Count

if TYPE_CHECKING:
    import tensorflow as tf


class Shift(AugmentationSettings):
    """Moves each image by whole pixels, up or down and left or right; what comes in from outside is black."""

    name: Literal["shift"] = Field(description="Move the image by whole pixels.")
    pixels: Count = Field(2, description="The most that an image is moved in each direction, in pixels.")

    numbers: ClassVar[int] = 2

    def apply(self, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        # Every whole shift from -pixels to +pixels is equally likely.
        offsets = tf.cast(numbers * (2 * self.pixels + 1), tf.int32)
        height, width = images.shape[1:3]
        edge = [self.pixels, self.pixels]
        padded = tf.pad(images, [[0, 0], edge, edge, [0, 0]])
        rows = tf.gather(padded, offsets[:, :1] + tf.range(height), axis=1, batch_dims=1)
        return tf.gather(rows, offsets[:, 1:] + tf.range(width), axis=2, batch_dims=1)
