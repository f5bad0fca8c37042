"""Imports TensorFlow and computes a little; its text is run by a fresh Python, which may die of it.

oneDNN, asked to by ONEDNN_VERBOSE, names the processor's instructions that it uses on standard output.
"""

from __future__ import annotations


def probe() -> None:
    """A matrix product and a convolution on the processor."""
    import keras  # noqa: F401
    import tensorflow as tf

    with tf.device("/CPU:0"):
        tf.linalg.matmul(tf.ones((8, 8)), tf.ones((8, 8)))
        tf.nn.conv2d(tf.ones((1, 8, 8, 1)), tf.ones((3, 3, 1, 4)), 1, "SAME")


if __name__ == "__main__":
    probe()
