"""Mixup."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from imgclf.augmentation.base import MixingSettings
from imgclf.augmentation.beta import beta
from imgclf.augmentation.geometry import like
from imgclf.settings import Positive

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf
    from numpy.typing import NDArray


class Mixup(MixingSettings):
    """Blends each image, and its label, with another one of its batch (Zhang et al., 2018)."""

    name: Literal["mixup"] = Field(description="Blend two images and their labels.")
    alpha: Positive = Field(
        0.2, description="Shares are drawn from Beta(alpha, alpha): 1 makes all equally likely, less means less mixing."
    )

    numbers: ClassVar[int] = 1

    def drawn(self, numbers: NDArray[np.float32], epoch: int) -> NDArray[np.float32]:  # noqa: ARG002
        """The share of its own that each image keeps."""
        return beta(self.alpha, numbers)

    def own(self, numbers: tf.Tensor, height: int, width: int) -> tf.Tensor:  # noqa: ARG002
        return numbers[:, 0]

    def apply(self, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        pixels, own = tf.cast(images, tf.float32), numbers[:-1, :, None, None]
        return like(own * pixels[:-1] + (1 - own) * pixels[1:], images)
