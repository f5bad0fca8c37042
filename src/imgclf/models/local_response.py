"""Local response normalisation: settings and layer."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from imgclf.settings import NonNegative, Settings

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


class LocalResponse(Settings):
    """Each value over (bias + alpha * sum of squares of its neighbours in 2 * depth_radius + 1 maps) ** beta.

    The defaults are those of Krizhevsky et al. (2012), section 3.3, where 2 * depth_radius + 1 is called n and bias k.
    The bounds are those of cuDNN, so that a file that works on one device works on the other.
    """

    depth_radius: Annotated[int, Field(ge=1, le=7)] = Field(2, description="How many maps on either side count.")
    bias: Annotated[float, Field(ge=1e-5)] = Field(2.0, description="What is added to the sum.")
    alpha: NonNegative = Field(1e-4, description="Factor of the sum of squares (of the sum, not of the mean).")
    beta: Annotated[float, Field(ge=0.01)] = Field(0.75, description="Exponent of the divisor.")

    def layer(self, name: str) -> keras.Layer:
        return layer_class()(self.depth_radius, self.bias, self.alpha, self.beta, name=name)


@cache
def layer_class() -> type[keras.Layer]:
    """The Keras layer, made and registered at the first call: Keras is not imported before a network is built.

    A file in Keras' own format that holds such layers is read after this was called.
    """
    import keras
    import tensorflow as tf

    @keras.saving.register_keras_serializable("imgclf")
    class LocalResponseNormalization(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
        """Maps (batch, height, width, channels) of the same shape and type; computed in float32."""

        def __init__(
            self,
            depth_radius: int,
            bias: float,
            alpha: float,
            beta: float,
            name: str | None = None,
            trainable: bool = True,
            dtype: Any = None,
        ) -> None:
            super().__init__(name=name, trainable=trainable, dtype=dtype)
            self.constants = {"depth_radius": depth_radius, "bias": bias, "alpha": alpha, "beta": beta}

        def call(self, maps: tf.Tensor) -> tf.Tensor:
            # TensorFlow has no kernel for bfloat16 on the CPU.
            normalized = tf.nn.local_response_normalization(tf.cast(maps, tf.float32), **self.constants)
            return tf.cast(normalized, maps.dtype)

        def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
            return shape

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), **self.constants}

    return LocalResponseNormalization


def standard_layers(layer: keras.Layer) -> keras.Model:
    """The same normalisation made of Keras' own layers, for files that are read where :func:`layer_class` is not.

    A dense layer sums the squares of neighbouring maps. ``layer`` has been called on maps of known channels.
    """
    import keras
    import numpy as np
    from keras import layers

    constants, shape = layer.constants, layer.output.shape[1:]
    places = np.arange(shape[-1])
    is_near = np.abs(places[:, None] - places) <= constants["depth_radius"]
    divisor = layers.Dense(shape[-1], dtype="float32", trainable=False, name=f"{layer.name}_divisor")
    divisor.build((None, shape[-1]))
    divisor.set_weights([constants["alpha"] * is_near, np.full(shape[-1], constants["bias"])])
    maps = keras.Input(shape, dtype=layer.compute_dtype)
    exact = layers.Activation("linear", dtype="float32")(maps)
    normalized = exact * keras.ops.power(divisor(keras.ops.square(exact)), -constants["beta"])
    return keras.Model(maps, normalized, name=layer.name)
