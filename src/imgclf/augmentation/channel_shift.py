"""Shifts of the colour channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from imgclf.augmentation.base import AugmentationSettings
from imgclf.augmentation.geometry import like
from imgclf.augmentation.ranges import between
from imgclf.errors import ImgclfError

if TYPE_CHECKING:
    import tensorflow as tf


class ChannelShift(AugmentationSettings):
    """Adds a number from -amount to +amount to the channels of each image, cut at its darkest and brightest value."""

    name: Literal["channel_shift"] = Field(description="Change the colour channels.")
    amount: float = Field(20.0, gt=0, le=255, description="The most that is added or taken away, of 0 to 255.")
    channels: Literal["separately", "together"] = Field(
        "separately",
        description="`separately`: a number for each channel, which changes colours; `together`: one for all, as "
        "Keras' channel_shift_range.",
    )

    numbers: ClassVar[int] = 4  # as many channels as an image has at most: red, green, blue, opacity

    def apply(self, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        channels = images.shape[3]
        if channels > self.numbers and self.channels == "separately":
            raise ImgclfError(
                f"augmentation: channel_shift takes images of up to {self.numbers} channels; these have {channels}",
                hint="set channels: together, which adds one number to all channels.",
            )
        added = between(numbers, -self.amount, self.amount)[:, None, None]
        added = added[..., :1] if self.channels == "together" else added[..., :channels]
        pixels = tf.cast(images, tf.float32)
        darkest = tf.reduce_min(pixels, axis=[1, 2, 3], keepdims=True)
        brightest = tf.reduce_max(pixels, axis=[1, 2, 3], keepdims=True)
        return like(tf.clip_by_value(pixels + added, darkest, brightest), images)
