"""Moving the pixels of a batch: one matrix an image, applied by one bilinear resampling.

A matrix maps a place in the result to the place in the image that is read there, as in scipy's ``affine_transform``:
(x, y, 1) with x to the right and y down, in pixels from the centre of the image. So a change by A followed by one by B
is ``compose(A, B)``, and pixels are interpolated once for both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import tensorflow as tf

Mode = Literal["nearest", "constant", "reflect", "wrap"]


@dataclass(frozen=True)
class Fill:
    """What is read outside of the image; ``value`` is 0 but in the mode ``constant``."""

    mode: Mode
    value: float


def filling(mode: Mode, value: float) -> Fill:
    """The fill of an augmentation's settings: equal where it fills alike."""
    return Fill(mode, value if mode == "constant" else 0.0)


def matrix(upper: tuple[Any, Any, Any], lower: tuple[Any, Any, Any]) -> tf.Tensor:
    """Matrices float32 (batch, 3, 3) of their two upper rows; an entry: a number or a tensor (batch,), one at least."""
    import tensorflow as tf

    batch = next(tf.zeros_like(entry) for entry in (*upper, *lower) if tf.is_tensor(entry))
    entries = [entry + batch for entry in (*upper, *lower, 0.0, 0.0, 1.0)]
    return tf.reshape(tf.stack(entries, axis=1), (-1, 3, 3))


def compose(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """The matrices of the change ``first`` followed by ``second``: (batch, 3, 3)."""
    import tensorflow as tf

    # Not tf.matmul: graphics cards round its factors to ten bits, which moves the pixels of a large image.
    return tf.reduce_sum(first[:, :, :, None] * second[:, None, :, :], axis=2)


def resample(images: tf.Tensor, matrices: tf.Tensor, fill: Fill) -> tf.Tensor:
    """The images read through their matrices, bilinearly: same shape and type, (batch, height, width, channels)."""
    import tensorflow as tf

    height, width = images.shape[1:3]
    # Places are counted from the centre in a matrix, and from the first pixel by what applies it.
    centre = tf.constant([[(width - 1) / 2], [(height - 1) / 2]])
    turned, moved = matrices[:, :2, :2], matrices[:, :2, 2:]
    offset = moved + centre - tf.reduce_sum(turned * tf.transpose(centre), axis=2, keepdims=True)
    affine = tf.concat([turned, offset], axis=2)
    pixels = tf.cast(images, tf.float32)
    if fill.mode == "wrap":
        return like(_wrapped(pixels, affine), images)
    read = tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=tf.pad(tf.reshape(affine, (-1, 6)), [[0, 0], [0, 2]]),
        output_shape=tf.constant([height, width]),
        fill_value=tf.constant(fill.value),
        interpolation="BILINEAR",
        fill_mode=fill.mode.upper(),
    )
    return like(tf.ensure_shape(read, images.shape), images)


def whole_offsets(numbers: tf.Tensor, most: int) -> tf.Tensor:
    """Each whole number from 0 to twice ``most`` is equally likely: int32, the shape of ``numbers``."""
    import tensorflow as tf

    return tf.cast(numbers * (2 * most + 1), tf.int32)


def whole_shifts(numbers: tf.Tensor, most: int) -> tf.Tensor:
    """Matrices of shifts by whole pixels; ``numbers``: (batch, 2), for up or down and for left or right."""
    import tensorflow as tf

    down, across = tf.unstack(tf.cast(whole_offsets(numbers, most) - most, tf.float32), axis=1)
    return matrix((1.0, 0.0, across), (0.0, 1.0, down))


def moved(images: tf.Tensor, offsets: tf.Tensor, most: int, value: float) -> tf.Tensor:
    """The images shifted by whole pixels onto a ground of one value: copied, which is faster than interpolation.

    ``offsets``: int32 (batch, 2), from 0 to twice ``most``, where ``most`` leaves an image in its place.
    """
    import tensorflow as tf

    height, width = images.shape[1:3]
    padded = tf.pad(
        images, [[0, 0], [most, most], [most, most], [0, 0]], constant_values=like(tf.constant(value), images)
    )
    rows = tf.gather(padded, offsets[:, :1] + tf.range(height), axis=1, batch_dims=1)
    return tf.gather(rows, offsets[:, 1:] + tf.range(width), axis=2, batch_dims=1)


def mirrored(images: tf.Tensor, flags: tf.Tensor, axis: int) -> tf.Tensor:
    """The images, those whose flag (batch,) is over 0 reversed along ``axis``."""
    import tensorflow as tf

    return tf.where(flags[:, None, None, None] > 0, tf.reverse(images, [axis]), images)


def like(values: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Float32 values cut to 0..255 and brought to the type of ``images``: rounded where that is uint8."""
    import tensorflow as tf

    values = tf.clip_by_value(values, 0.0, 255.0)
    return values if images.dtype == tf.float32 else tf.cast(tf.round(values), images.dtype)


def _wrapped(pixels: tf.Tensor, affine: tf.Tensor) -> tf.Tensor:
    """Pixels of the images laid side by side without end.

    The mode WRAP of TensorFlow's operation does not interpolate across the seam, and repeats the last pixel
    in place of the next image near whole widths.
    """
    import tensorflow as tf

    height, width = pixels.shape[1:3]
    rows, columns = tf.meshgrid(tf.range(height, dtype=tf.float32), tf.range(width, dtype=tf.float32), indexing="ij")
    x, y = (
        affine[:, i, 0, None, None] * columns + affine[:, i, 1, None, None] * rows + affine[:, i, 2, None, None]
        for i in range(2)
    )
    left, top = tf.floor(x), tf.floor(y)
    across, down = (x - left)[..., None], (y - top)[..., None]

    def read(right: int, below: int) -> tf.Tensor:
        place = (tf.cast(top, tf.int32) + below) % height, (tf.cast(left, tf.int32) + right) % width
        return tf.gather_nd(pixels, tf.stack(place, axis=-1), batch_dims=1)

    upper = read(0, 0) * (1 - across) + read(1, 0) * across
    lower = read(0, 1) * (1 - across) + read(1, 1) * across
    return upper * (1 - down) + lower * down
