"""Whitening: an image's numbers made uncorrelated, each of variance 1 over the training images."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from imgclf.errors import ImgclfError
from imgclf.preprocessing.pieces import Pieces
from imgclf.settings import ImageShape, Positive, Settings
from imgclf.texts import shape_text, size_text

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf
    from numpy.typing import NDArray

MOST_NUMBERS = 4096  # of an image: 64x64 grey, 36x36 in colour
MOST_IMAGES = 20_000
FIT_BYTES = 40  # for each number of the matrix while it is fitted; measured: 44 for images of 32x32x3, pieces included


class _Whitening(Settings):
    """The keys that both whitenings have, and all that they do alike."""

    epsilon: Positive = Field(
        1e-6,
        description="Added to each variance before the division by its root. Greater: directions in which the training "
        "images hardly differ are raised less.",
    )
    images: Annotated[int, Field(ge=2)] = Field(
        MOST_IMAGES,
        description="On how many training images it is fitted, evenly spread over them; all where there are no more. "
        "Should exceed height x width x channels.",
    )

    def problem(self, image_shape: ImageShape) -> str | None:
        """Why images of this shape are not whitened, or None where they are."""
        numbers = math.prod(image_shape)
        if numbers <= MOST_NUMBERS:
            return None
        return (
            f"images of {shape_text(image_shape)} are {numbers:,} numbers each, and at most {MOST_NUMBERS:,} are "
            f"whitened: the matrix of {numbers:,} x {numbers:,} would take {size_text(4 * numbers**2)} in the run and "
            f"about {size_text(FIT_BYTES * numbers**2)} of memory while it is fitted; set preprocessing.size"
        )

    def images_to_fit(self, images: int) -> int:
        """How many of the training images it is fitted on."""
        return min(images, self.images)

    def arrays(self, image_shape: ImageShape) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the arrays that are fitted."""
        numbers = math.prod(image_shape)
        return {"whitening_mean": (numbers,), "whitening_matrix": (numbers, numbers)}

    def fit(self, pieces: Pieces) -> dict[str, NDArray[np.float32]]:
        """The mean image and the matrix that centred images, as rows of numbers, are multiplied by.

        Raises ImgclfError where there are fewer than two images.
        """
        import numpy as np

        mean, covariance = _covariance(pieces)
        variances, directions = np.linalg.eigh(covariance)
        divisors = np.sqrt(np.maximum(variances, 0) + self.epsilon)
        matrix = self.matrix(directions[:, ::-1], divisors[::-1])
        return {"whitening_mean": mean.astype(np.float32), "whitening_matrix": matrix.astype(np.float32)}

    @abstractmethod
    def matrix(self, directions: NDArray[np.float64], divisors: NDArray[np.float64]) -> NDArray[np.float64]:
        """The whitening matrix (numbers, numbers).

        ``directions`` are the principal directions as columns (numbers, numbers), that of greatest variance first, and
        ``divisors`` (numbers,) the deviations along them.
        """

    def apply(self, images: tf.Tensor, fitted: Mapping[str, Any]) -> tf.Tensor:
        """Whitened images: float32 (batch, height, width, channels)."""
        import tensorflow as tf

        mean, matrix = fitted["whitening_mean"], fitted["whitening_matrix"]
        flat = tf.reshape(images, [-1, matrix.shape[0]])
        # Much cancels out here. Measured with ZCA on CIFAR-10, against float64: float32 is off by up to 5e-5, factors
        # rounded to 10 bits (TF32, which `choose_devices` turns off) by up to 0.2.
        return tf.reshape((flat - mean) @ matrix, tf.shape(images))


class Zca(_Whitening):
    """ZCA whitening: less the mean training image, then the nearest white image (Bell and Sejnowski, 1997).

    Keras 2 subtracts the mean of the channel instead of each pixel's own.
    """

    name: Literal["zca"] = Field(description="Whitened, and as like the image as can be.")

    def matrix(self, directions: NDArray[np.float64], divisors: NDArray[np.float64]) -> NDArray[np.float64]:
        return (directions / divisors) @ directions.T


class Pca(_Whitening):
    """PCA whitening: the image's principal coefficients, divided by the root of their variance, in the image's shape.

    The mean training image is subtracted first. The coefficients, that of greatest variance first, take the places of
    the image's numbers: row by row, pixel by pixel, channel by channel. So neighbours in the result are no neighbours
    in the image.
    """

    name: Literal["pca"] = Field(
        description="Principal coefficients, greatest variance first, in the image's shape; no longer a picture."
    )

    def matrix(self, directions: NDArray[np.float64], divisors: NDArray[np.float64]) -> NDArray[np.float64]:
        import numpy as np

        # An eigenvector's sign is arbitrary: here its greatest number is positive.
        greatest = directions[np.abs(directions).argmax(axis=0), np.arange(len(directions))]
        oriented: NDArray[np.float64] = directions * np.sign(greatest)
        return oriented / divisors


WhiteningUnion = Annotated[Zca | Pca, Field(discriminator="name")]


def _covariance(pieces: Pieces) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (numbers,) and covariance (numbers, numbers) of the images as rows of numbers; divided by images - 1."""
    import numpy as np

    if pieces.count < 2:
        raise ImgclfError("preprocessing.whitening: must be fitted on 2 training images or more; there is 1")
    numbers = math.prod(pieces.image_shape)
    shift, total, products = np.zeros(numbers), np.zeros(numbers), np.zeros((numbers, numbers))
    for first, piece in enumerate(pieces):
        rows = piece.reshape(-1, numbers)
        if first == 0:
            shift = rows.mean(axis=0)  # near the mean, so that the products lose no digits
        rows = rows - shift
        total += rows.sum(axis=0)
        products += rows.T @ rows
    mean = total / pieces.count
    products -= np.outer(total, mean)
    products /= pieces.count - 1
    return shift + mean, products
