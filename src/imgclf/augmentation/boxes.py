"""Boxes in a batch of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


def inside(centres: tf.Tensor, sides: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Which pixels lie in a box: bool (batch, height, width, 1). What of a box lies outside of the image is cut off.

    ``centres``: numbers in [0, 1), float32 (batch, 2), every pixel equally likely. ``sides`` in pixels: int32, height
    and width, (batch, 2) or what broadcasts to it.
    """
    import tensorflow as tf

    first = tf.cast(centres * [float(height), float(width)], tf.int32) - sides // 2
    last = first + sides
    rows, columns = tf.range(height)[None, :], tf.range(width)[None, :]
    in_rows = (rows >= first[:, :1]) & (rows < last[:, :1])
    in_columns = (columns >= first[:, 1:]) & (columns < last[:, 1:])
    return in_rows[:, :, None, None] & in_columns[:, None, :, None]
