"""Flips that alternate."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from imgclf.augmentation.base import GeometricSettings
from imgclf.augmentation.geometry import matrix, mirrored

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf
    from numpy.typing import NDArray


class AlternatingFlip(GeometricSettings):
    """Turns left and right round of a random half of the images in the first epoch, of the others in the next.

    And so on in turn (Jordan, 2024, "94% on CIFAR-10 in 3.29 seconds", section 3.6): every two epochs in a row show
    each image both ways, where random flips repeat one way half of the time.
    """

    name: Literal["alternating_flip"] = Field(description="Mirror each image in every other epoch.")

    numbers: ClassVar[int] = 1
    constant: ClassVar[bool] = True

    def drawn(self, numbers: NDArray[np.float32], epoch: int) -> NDArray[np.float32]:
        """1 for an image that is mirrored in this epoch, else 0."""
        flipped: NDArray[np.float32] = ((numbers < 0.5) != bool(epoch % 2)).astype(numbers.dtype)
        return flipped

    def matrices(self, numbers: tf.Tensor, height: int, width: int) -> tf.Tensor:  # noqa: ARG002
        return matrix((1 - 2 * numbers[:, 0], 0.0, 0.0), (0.0, 1.0, 0.0))

    def apply(self, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        return mirrored(images, numbers[:, 0], 2)
