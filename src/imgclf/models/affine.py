"""Images seen through an affine transform that a network computes: grid and bilinear sampler, as one Keras layer.

Keras' own ``ops.image.affine_transform`` has no gradient for the transform, which is what is to be learned.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

Transform = Literal["affine", "rotation", "translation_scale"]

# The numbers of the transform that changes nothing.
IDENTITY: dict[Transform, tuple[float, ...]] = {
    "affine": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "rotation": (0.0,),
    "translation_scale": (1.0, 0.0, 0.0),
}


def matrices(transform: Transform, numbers: tf.Tensor, aspect: float) -> tf.Tensor:
    """The transforms (batch, 2, 3) of their ``numbers`` (batch, 6, 1 or 3); ``aspect`` is an image's width / height.

    A matrix takes a place (x, y, 1) of the result to the place of the image that is seen there (Jaderberg et al.,
    2015, equations 1 and 3). Numbers are the matrix row by row; the angle in radians by which the image is turned
    counter-clockwise; or scale, x and y.
    """
    import tensorflow as tf

    columns = tf.unstack(numbers, axis=1)
    zero = tf.zeros_like(columns[0])
    if transform == "affine":
        rows = columns
    elif transform == "rotation":
        cosine, sine = tf.cos(columns[0]), tf.sin(columns[0])
        # Without the aspect, x and y of -1 to 1 would shear what is not square.
        rows = [cosine, -sine / aspect, zero, sine * aspect, cosine, zero]
    else:
        scale, x, y = columns
        rows = [scale, zero, x, zero, scale, y]
    return tf.reshape(tf.stack(rows, axis=1), (-1, 2, 3))


def affine_grid(matrices: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Where each pixel of a result of ``height`` by ``width`` is taken from: (batch, 2, height * width).

    Its x and y are -1 at an image's left and upper edge, 1 at its right and lower edge.
    """
    import tensorflow as tf

    across = (2 * tf.range(width, dtype=matrices.dtype) + 1) / width - 1
    down = (2 * tf.range(height, dtype=matrices.dtype) + 1) / height - 1
    x, y = (tf.reshape(part, (1, 1, -1)) for part in tf.meshgrid(across, down))
    # No matrix product: graphics cards compute those of float32 with ten bits, which moves pixels.
    return matrices[:, :, 0:1] * x + matrices[:, :, 1:2] * y + matrices[:, :, 2:3]


def sample_bilinear(images: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Images (batch, height, width, channels) at ``places`` (batch, 2, n) of :func:`affine_grid`: (batch, n, channels).

    Between four pixels each counts by its nearness (equation 5); whatever lies outside of the image is 0.
    """
    import tensorflow as tf

    height, width, channels = images.shape[1:]
    row = width + 2
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]])
    pixels = tf.reshape(padded, (-1, (height + 2) * row, channels))
    left, to_right = _between(places[:, 0], width)
    top, to_bottom = _between(places[:, 1], height)
    first = top * row + left

    def at(offset: int) -> Any:
        return tf.gather(pixels, first + offset, batch_dims=1)

    upper = at(0) * (1 - to_right) + at(1) * to_right
    lower = at(row) * (1 - to_right) + at(row + 1) * to_right
    return upper * (1 - to_bottom) + lower * to_bottom


def _between(places: tf.Tensor, pixels: int) -> tuple[tf.Tensor, tf.Tensor]:
    """For places (batch, n) along a side, the pixel before each, counted with the border, and the share of the next."""
    import tensorflow as tf

    found = tf.clip_by_value(((places + 1) * pixels + 1) / 2, 0, pixels + 1)
    # A place that is not finite must not point out of memory: its share is not finite either, which stops the run.
    before = tf.clip_by_value(tf.cast(tf.floor(found), tf.int32), 0, pixels)
    return before, (found - tf.cast(before, found.dtype))[..., tf.newaxis]


@cache
def sampler_class() -> Callable[..., keras.Layer]:
    """The layer ``AffineSampler(transform, size=None)``: [images, numbers] to images of ``size`` (height, width).

    Images are float32 (batch, height, width, channels), numbers (batch, 6, 1 or 3) as in :func:`matrices`; without
    ``size`` the result is as large as the images. It computes in float32 whatever the policy: in bfloat16 a place in
    a row of 256 pixels would be off by one. To load a model that was saved with it, call this function first.
    """
    import keras

    @keras.saving.register_keras_serializable("imgclf")
    class AffineSampler(keras.Layer):  # type: ignore[misc]  # Keras has no types
        def __init__(self, transform: Transform, size: tuple[int, int] | None = None, **common: Any) -> None:
            super().__init__(**{**common, "dtype": "float32"})
            self.transform = transform
            self.size = None if size is None else (size[0], size[1])

        def call(self, inputs: list[Any]) -> Any:
            import tensorflow as tf

            images, numbers = inputs
            height, width, channels = images.shape[1:]
            rows, columns = self.size or (height, width)
            grid = affine_grid(matrices(self.transform, numbers, width / height), rows, columns)
            return tf.reshape(sample_bilinear(images, grid), (-1, rows, columns, channels))

        def compute_output_shape(self, shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
            batch, height, width, channels = shapes[0]
            return (batch, *(self.size or (height, width)), channels)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "transform": self.transform, "size": self.size}

    return AffineSampler
