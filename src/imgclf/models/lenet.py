"""LeNet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from imgclf.models.base import ModelSettings
from imgclf.models.initializers import GLOROT_UNIFORM, ZEROS, BiasInitializer, Initializer
from imgclf.models.layers import Activation, dense_layers
from imgclf.settings import Count, ImageShape

if TYPE_CHECKING:
    import keras


class LeNet(ModelSettings):
    """LeNet-5 with ReLU and max pooling (LeCun et al., 1998, section II.B, with today's activations).

    Each convolution keeps the image's size and is followed by a pooling that halves it. Input: float32 (batch, height,
    width, channels). Output: features (batch, dense_units[-1]).
    """

    name: Literal["lenet"] = Field(description="LeNet-5 with today's activations.")
    filters: tuple[Count, ...] = Field((20, 50), min_length=1, description="Filters of each convolution, in order.")
    kernel_size: Count = Field(5, description="Side of each filter, in pixels.")
    dense_units: tuple[Count, ...] = Field((500,), description="Units of each dense layer, in order; may be empty.")
    activation: Activation = Field("relu", description="Activation of every convolution and dense layer.")
    kernel_initializer: Initializer = Field(GLOROT_UNIFORM, description="How the weights start.")
    bias_initializer: BiasInitializer = Field(ZEROS, description="How the biases start.")

    def smallest_image(self) -> tuple[int, int]:
        side = 2 ** len(self.filters)
        return side, side

    def build_body(self, image_shape: ImageShape) -> keras.Model:
        from keras import Sequential, layers

        body = [layers.Input(image_shape, name="image")]
        for number, filters in enumerate(self.filters, 1):
            kernel, bias = self.kernel_initializer.build(), self.bias_initializer.build()
            body += [
                layers.Conv2D(
                    filters,
                    self.kernel_size,
                    padding="same",
                    activation=self.activation,
                    kernel_initializer=kernel,
                    bias_initializer=bias,
                    name=f"conv_{number}",
                ),
                layers.MaxPooling2D(2, name=f"pool_{number}"),
            ]
        body += [layers.Flatten(name="flatten")]
        body += dense_layers(self.dense_units, self.activation, self.kernel_initializer, self.bias_initializer)
        return Sequential(body, name=self.name)
