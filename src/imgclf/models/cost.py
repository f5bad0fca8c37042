"""What a network costs: multiply-adds for one image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")  # the last two are those of a separable convolution


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of the convolutions and dense layers for one image, forward; everything else is left out.

    Models inside the model are opened.
    """
    import keras

    return sum(
        multiply_adds(layer) if isinstance(layer, keras.Model) else _multiply_adds(layer) for layer in model.layers
    )


def _multiply_adds(layer: keras.Layer) -> int:
    kernels = [kernel for name in KERNELS if (kernel := getattr(layer, name, None)) is not None]
    if not kernels:
        return 0
    places = layer.output.shape[1:-1]  # a convolution's kernel is used at every place of its output
    return sum(int(np.prod(kernel.shape)) for kernel in kernels) * int(np.prod(places))
