"""A look inside one training step: every variable, its gradient, every layer's output."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgclf.training.feed import Chunk
from imgclf.training.step import Step

Named = list[tuple[str, NDArray[Any]]]


def inspect(step: Step, chunk: Chunk) -> Named:
    """Variables, gradients and layers' outputs, by name, at a chunk's first step before its update.

    The model is left as it was. Outputs are those of training's images (augmented) with dropout off.
    """
    import tensorflow as tf

    images, labels, numbers = (tf.constant(array[0]) for array in (chunk.images, chunk.labels, chunk.numbers))
    gradients = step.gradients(images, labels, numbers, tf.constant(chunk.span.first, tf.int64))
    names, weights = _names(step), step.model.trainable_variables
    named: Named = [(f"variable/{names[id(one)]}", one.numpy()) for one in step.model.variables if id(one) in names]
    named += [(f"gradient/{names[id(one)]}", g.numpy()) for one, g in zip(weights, gradients, strict=True)]
    prepared = step.prepared(step.with_partner(images), step.with_partner(numbers))
    return named + [(f"output/{name}", output) for name, output in _outputs(step, prepared)]


def _outputs(step: Step, images: Any) -> Named:
    import keras

    layers = [layer for layer in step.model.layers if not isinstance(layer, keras.layers.InputLayer)]
    # From where the first layer is fed: a head's layers belong to the graph of the whole model.
    outputs = keras.Model(layers[0].input, [layer.output for layer in layers])(images, training=False)
    outputs = outputs if isinstance(outputs, list) else [outputs]  # Keras opens a list of one
    return [(layer.name, output.numpy().astype(np.float32)) for layer, output in zip(layers, outputs, strict=True)]


def _names(step: Step) -> dict[int, str]:
    """``layer/variable`` for each weight, by its identity; the seeds of dropout are no weights."""
    return {
        id(variable): f"{layer.name}/{variable.path.split(f'{layer.name}/', 1)[-1]}"
        for layer in step.model.layers
        for variable in layer.variables
        if "seed_generator" not in variable.path
    }
