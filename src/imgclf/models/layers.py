"""Layers that several models have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from imgclf.models.initializers import BiasInitializer, Initializer

if TYPE_CHECKING:
    import keras

Activation = Literal["relu", "elu", "selu", "gelu", "silu", "leaky_relu", "tanh", "sigmoid", "softplus", "linear"]


def dense_layers(
    units: tuple[int, ...],
    activation: Activation,
    kernel: Initializer,
    bias: BiasInitializer,
    dropout: float = 0.0,
    prefix: str = "",
) -> list[keras.Layer]:
    """Layers ``dense_1``, ``dense_2``, ... each followed by dropout where there is any; names begin with ``prefix``."""
    from keras import layers

    made: list[keras.Layer] = []
    for number, count in enumerate(units, 1):
        made += [
            layers.Dense(
                count,
                activation,
                kernel_initializer=kernel.build(),
                bias_initializer=bias.build(),
                name=f"{prefix}dense_{number}",
            )
        ]
        made += [layers.Dropout(dropout, name=f"{prefix}dense_dropout_{number}")] if dropout else []
    return made


def batch_normalization(name: str) -> keras.layers.BatchNormalization:
    """Batch normalisation whose statistics are those of the whole batch, also when it is cut over devices."""
    import tensorflow as tf
    from keras import layers

    return layers.BatchNormalization(synchronized=tf.distribute.get_strategy().num_replicas_in_sync > 1, name=name)
