"""What a model is to the rest of the program: settings that validate themselves and build a body."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from imgclf.settings import ImageShape, Positive, Settings

if TYPE_CHECKING:
    import keras

Activation = Literal["relu", "elu", "selu", "gelu", "silu", "leaky_relu", "tanh", "sigmoid", "softplus", "linear"]


class PlainInitializer(Settings):
    """An initialiser of Keras that needs no number."""

    name: Literal[
        "glorot_uniform",
        "glorot_normal",
        "he_uniform",
        "he_normal",
        "lecun_uniform",
        "lecun_normal",
        "orthogonal",
        "zeros",
        "ones",
    ] = Field(description="Name of the Keras initialiser.")

    def build(self) -> keras.initializers.Initializer:
        return _build(self.name)


class NormalInitializer(Settings):
    """Numbers from a normal distribution, cut at two deviations where truncated."""

    name: Literal["random_normal", "truncated_normal"] = Field(description="Name of the Keras initialiser.")
    mean: float = Field(0.0, description="Mean of the distribution.")
    stddev: Positive = Field(0.05, description="Standard deviation of the distribution.")

    def build(self) -> keras.initializers.Initializer:
        return _build(self.name, mean=self.mean, stddev=self.stddev)


class UniformInitializer(Settings):
    """Numbers from a uniform distribution."""

    name: Literal["random_uniform"] = Field(description="Name of the Keras initialiser.")
    minval: float = Field(-0.05, description="Lower bound.")
    maxval: float = Field(0.05, description="Upper bound.")

    def build(self) -> keras.initializers.Initializer:
        return _build(self.name, minval=self.minval, maxval=self.maxval)


class ConstantInitializer(Settings):
    """One number everywhere."""

    name: Literal["constant"] = Field(description="Name of the Keras initialiser.")
    value: float = Field(0.0, description="The number.")

    def build(self) -> keras.initializers.Initializer:
        return _build(self.name, value=self.value)


Initializer = Annotated[
    PlainInitializer | NormalInitializer | UniformInitializer | ConstantInitializer, Field(discriminator="name")
]
GLOROT_UNIFORM = PlainInitializer(name="glorot_uniform")
ZEROS = PlainInitializer(name="zeros")


class HeadSettings(Settings):
    """The part ``model.head``: the dense layer that turns features into one logit a class."""

    kernel_initializer: Initializer = Field(GLOROT_UNIFORM, description="How the weights start.")
    bias_initializer: Initializer = Field(ZEROS, description="How the biases start.")


class ModelSettings(Settings):
    """The section ``model``: the keys that every model has."""

    head: HeadSettings = Field(
        HeadSettings(), description="The layer that attaches the classes of the data to the body."
    )

    def smallest_image(self) -> tuple[int, int]:
        """The least height and width (pixels) from which the body can be built."""
        return 1, 1

    @abstractmethod
    def build_body(self, image_shape: ImageShape) -> keras.Model:
        """The network from images, float32 (batch, height, width, channels), to features (batch, features)."""


def dense_layers(
    units: tuple[int, ...], activation: Activation, kernel: Initializer, bias: Initializer, dropout: float = 0.0
) -> list[keras.Layer]:
    """Dense layers ``dense_1``, ``dense_2``, ... each followed by dropout where there is any."""
    from keras import layers

    made: list[keras.Layer] = []
    for number, count in enumerate(units, 1):
        made += [
            layers.Dense(
                count,
                activation,
                kernel_initializer=kernel.build(),
                bias_initializer=bias.build(),
                name=f"dense_{number}",
            )
        ]
        made += [layers.Dropout(dropout, name=f"dense_dropout_{number}")] if dropout else []
    return made


def batch_normalization(name: str) -> keras.layers.BatchNormalization:
    """Batch normalisation whose statistics are those of the whole batch, also when it is cut over devices."""
    import tensorflow as tf
    from keras import layers

    return layers.BatchNormalization(synchronized=tf.distribute.get_strategy().num_replicas_in_sync > 1, name=name)


def _build(name: str, **settings: Any) -> keras.initializers.Initializer:
    import keras

    return keras.initializers.get({"class_name": name, "config": settings})
