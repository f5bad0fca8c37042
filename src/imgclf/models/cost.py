"""What a network costs: multiply-adds and memory for one image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgclf.models.table import layer_table

if TYPE_CHECKING:
    import keras

FLOAT_BYTES = 4  # of float32


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds for one image, forward: those of :func:`~imgclf.models.layer_cost.layer_multiply_adds`, summed."""
    return sum(row.multiply_adds for row in layer_table(model))


def parameter_bytes(model: keras.Model) -> int:
    """Memory of all weights as float32, trained or not."""
    return int(model.count_params()) * FLOAT_BYTES


def activation_bytes(model: keras.Model) -> int:
    """Memory of the outputs of all layers for one image as float32, the image among them: what training keeps."""
    return sum(row.activations for row in layer_table(model)) * FLOAT_BYTES
