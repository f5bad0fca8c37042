"""CutMix."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from imgclf.augmentation.base import MixingSettings
from imgclf.augmentation.beta import beta
from imgclf.augmentation.boxes import inside
from imgclf.settings import Positive

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf
    from numpy.typing import NDArray


class Cutmix(MixingSettings):
    """Pastes a box of another image of the batch into each, and mixes the labels by area (Yun et al., 2019).

    The box has the image's proportions and its centre at any pixel. What falls outside is cut off; the label's share
    is that of the area really pasted.
    """

    name: Literal["cutmix"] = Field(description="Paste a box of another image, and mix the labels by area.")
    alpha: Positive = Field(
        1.0, description="Areas are drawn from Beta(alpha, alpha): 1 makes all equally likely, less means less mixing."
    )

    numbers: ClassVar[int] = 3

    def drawn(self, numbers: NDArray[np.float32], epoch: int) -> NDArray[np.float32]:  # noqa: ARG002
        """The share of its own area that each image keeps where the box lies within, and the box's centre."""
        import numpy as np

        return np.concatenate([beta(self.alpha, numbers[:, :1]), numbers[:, 1:]], axis=1)

    def own(self, numbers: tf.Tensor, height: int, width: int) -> tf.Tensor:
        import tensorflow as tf

        return 1 - tf.reduce_mean(tf.cast(_box(numbers, height, width), tf.float32), axis=[1, 2, 3])

    def apply(self, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        return tf.where(_box(numbers[:-1], *images.shape[1:3]), images[1:], images[:-1])


def _box(numbers: tf.Tensor, height: int, width: int) -> tf.Tensor:
    import tensorflow as tf

    sides = tf.cast(tf.sqrt(1 - numbers[:, :1]) * [float(height), float(width)], tf.int32)
    return inside(numbers[:, 1:], sides, height, width)
