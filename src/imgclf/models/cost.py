"""What a network costs: multiply-adds for one image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of the convolutions and dense layers for one image, forward; everything else is left out."""
    return sum(_multiply_adds(layer) for layer in model.layers)


def _multiply_adds(layer: keras.Layer) -> int:
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return 0
    places = layer.output.shape[1:-1]  # a convolution's kernel is used at every place of its output
    return int(np.prod(kernel.shape)) * int(np.prod(places))
