"""The multilayer perceptron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from imgclf.models.base import ModelSettings
from imgclf.models.initializers import GLOROT_UNIFORM, ZEROS, BiasInitializer, Initializer
from imgclf.models.layers import Activation, dense_layers
from imgclf.settings import Count, Fraction, ImageShape

if TYPE_CHECKING:
    import keras


class Mlp(ModelSettings):
    """Dense layers on the flattened pixels.

    Input: float32 (batch, height, width, channels). Output: features (batch, dense_units[-1]).
    """

    name: Literal["mlp"] = Field(description="Multilayer perceptron: dense layers on the pixels.")
    dense_units: tuple[Count, ...] = Field((64,), min_length=1, description="Units of each dense layer, in order.")
    activation: Activation = Field("relu", description="Activation of every dense layer.")
    dropout: Fraction = Field(0.0, description="Share of the units that is dropped after each dense layer.")
    kernel_initializer: Initializer = Field(GLOROT_UNIFORM, description="How the weights start.")
    bias_initializer: BiasInitializer = Field(ZEROS, description="How the biases start.")

    def build_body(self, image_shape: ImageShape) -> keras.Model:
        from keras import Sequential, layers

        body = [layers.Input(image_shape, name="image"), layers.Flatten(name="flatten")]
        initializers = self.kernel_initializer, self.bias_initializer
        body += dense_layers(self.dense_units, self.activation, *initializers, dropout=self.dropout)
        return Sequential(body, name=self.name)
