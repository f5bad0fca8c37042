"""Normalisation: what is subtracted from the pixels and what they are divided by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from imgclf.errors import ImgclfError
from imgclf.preprocessing.pieces import Pieces
from imgclf.settings import ImageShape, Misfit, Settings

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf
    from numpy.typing import NDArray

EPSILON = 1e-6  # added to every deviation, as Keras 2's ImageDataGenerator does


class _Normalization(Settings):
    """The keys that every normalisation has."""

    center: bool = Field(True, description="Subtract the mean.")
    scale: bool = Field(True, description=f"Divide by the standard deviation + {EPSILON:g}.")

    @model_validator(mode="after")
    def _does_something(self) -> _Normalization:
        if not self.center and not self.scale:
            raise Misfit(("center",), "center or scale must be true; without both, leave the normalization out")
        return self


class Samplewise(_Normalization):
    """Each image by its own mean and deviation: samplewise_center and samplewise_std_normalization of Keras 2.

    Nothing is fitted.
    """

    name: Literal["samplewise"] = Field(description="Each image by its own mean and deviation.")
    per_channel: bool = Field(
        False, description="Each channel of an image by itself; false, as in Keras 2: all its channels together."
    )

    def images_to_fit(self, images: int) -> int:
        """How many of the training images it is fitted on: none."""
        del images
        return 0

    def arrays(self, image_shape: ImageShape) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the arrays that are fitted: none."""
        del image_shape
        return {}

    def fit(self, pieces: Pieces) -> dict[str, NDArray[np.float32]]:
        """The fitted arrays: none."""
        del pieces
        return {}

    def apply(self, images: tf.Tensor, fitted: Mapping[str, Any]) -> tf.Tensor:
        """Normalised images: float32 (batch, height, width, channels)."""
        import tensorflow as tf

        del fitted
        axes = [1, 2] if self.per_channel else [1, 2, 3]
        mean, variance = tf.nn.moments(images, axes, keepdims=True)
        if self.center:
            images -= mean
        return images / (tf.sqrt(variance) + EPSILON) if self.scale else images


class Featurewise(_Normalization):
    """Each channel by its mean and deviation over all training images: featurewise_* of Keras 2.

    Training images are those of the training split alone.
    """

    name: Literal["featurewise"] = Field(description="Each channel by its mean and deviation over all training images.")

    def images_to_fit(self, images: int) -> int:
        """How many of the training images it is fitted on: all."""
        return images

    def arrays(self, image_shape: ImageShape) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the arrays that are fitted."""
        wanted = {"normalization_mean": self.center, "normalization_deviation": self.scale}
        return {name: image_shape[2:] for name, used in wanted.items() if used}

    def fit(self, pieces: Pieces) -> dict[str, NDArray[np.float32]]:
        """Mean and deviation of each channel, those that are used.

        Raises ImgclfError where a channel that is to be divided by its deviation has none.
        """
        import numpy as np

        mean, deviation = _moments(pieces)
        constant = np.flatnonzero(deviation < EPSILON)
        if self.scale and len(constant):
            raise ImgclfError(
                "preprocessing.normalization: every channel must vary in the training images, to be divided by its "
                f"deviation; channel {constant[0] + 1} of {len(deviation)} is the same everywhere",
                hint="set preprocessing.normalization.scale to false",
            )
        both = {"normalization_mean": mean, "normalization_deviation": deviation}
        return {name: both[name].astype(np.float32) for name in self.arrays(pieces.image_shape)}

    def apply(self, images: tf.Tensor, fitted: Mapping[str, Any]) -> tf.Tensor:
        """Normalised images: float32 (batch, height, width, channels)."""
        if self.center:
            images -= fitted["normalization_mean"]
        return images / (fitted["normalization_deviation"] + EPSILON) if self.scale else images


NormalizationUnion = Annotated[Samplewise | Featurewise, Field(discriminator="name")]


def _moments(pieces: Pieces) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each channel, float64 (channels,), in one pass."""
    import numpy as np

    count, total, squares = 0, np.zeros(pieces.image_shape[2]), np.zeros(pieces.image_shape[2])
    shift = np.zeros(pieces.image_shape[2])
    for piece in pieces:
        pixels = piece.reshape(-1, piece.shape[-1])
        if count == 0:
            shift = pixels[0]  # near the mean, so that the squares lose no digits
        pixels = pixels - shift
        count += len(pixels)
        total += pixels.sum(axis=0)
        squares += np.square(pixels).sum(axis=0)
    mean = total / count
    return shift + mean, np.sqrt(np.maximum(squares / count - mean**2, 0))
