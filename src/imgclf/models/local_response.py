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
