"""AlexNet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from imgclf.models.base import ModelSettings
from imgclf.models.blocks import Padding, Style, chain, convolution, flat_layers
from imgclf.models.initializers import GLOROT_UNIFORM, ZEROS, BiasInitializer, Initializer
from imgclf.models.layers import Activation
from imgclf.models.local_response import LocalResponse
from imgclf.settings import Count, Fraction, ImageShape

if TYPE_CHECKING:
    import keras

POOLED = (1, 2, 5)  # the convolutions that a pooling follows
NORMALIZED = (1, 2)


class AlexNet(ModelSettings):
    """AlexNet as one tower (Krizhevsky et al., 2012, section 3), its convolutions not cut into two groups.

    Five convolutions, the first two followed by local response normalisation; overlapping pooling after the first two
    and the last. 62,378,344 weights for images of 227x227x3 and 1,000 classes.

    Input: float32 (batch, height, width, channels), by default 67x67 pixels or more. Smaller ones: first_strides 1
    with kernel_sizes [3, 5, 3, 3, 3] takes 17x17, and padding same any size. Output: features (batch,
    dense_units[-1]), or the flattened maps where dense_units is empty.
    """

    name: Literal["alexnet"] = Field(description="AlexNet as one tower.")
    filters: tuple[Count, ...] = Field(
        (96, 256, 384, 384, 256), min_length=5, max_length=5, description="Filters of each convolution, in order."
    )
    kernel_sizes: tuple[Count, ...] = Field(
        (11, 5, 3, 3, 3), min_length=5, max_length=5, description="Side of each convolution's filters, in pixels."
    )
    first_strides: Count = Field(4, description="Pixels from one place of the first convolution's filters to the next.")
    padding: Padding = Field(
        "valid", description="Of the first convolution and the poolings: `same` takes images of any size."
    )
    pool_size: Count = Field(3, description="Side of each max pooling, in pixels.")
    pool_strides: Count = Field(2, description="Pixels from one place of a pooling to the next.")
    local_response_normalization: bool = Field(
        True, description="Local response normalisation after the first two convolutions, before their pooling."
    )
    local_response: LocalResponse = Field(LocalResponse(), description="Constants of that normalisation.")
    dense_units: tuple[Count, ...] = Field(
        (4096, 4096), description="Units of each dense layer, in order; may be empty."
    )
    dense_dropout: Fraction = Field(0.5, description="Share of the units that is dropped after each dense layer.")
    activation: Activation = Field("relu", description="Activation of every convolution and dense layer.")
    kernel_initializer: Initializer = Field(GLOROT_UNIFORM, description="How the weights start.")
    bias_initializer: BiasInitializer = Field(ZEROS, description="How the biases start.")

    def smallest_image(self) -> tuple[int, int]:
        if self.padding == "same":
            return 1, 1
        side = 1
        for _ in POOLED:
            side = (side - 1) * self.pool_strides + self.pool_size
        side = (side - 1) * self.first_strides + self.kernel_sizes[0]
        return side, side

    def build_body(self, image_shape: ImageShape) -> keras.Model:
        style = Style(self.activation, self.kernel_initializer, self.bias_initializer)
        body = [layer for number in range(1, 6) for layer in self._convolution(number, style)]
        body += flat_layers(self.dense_units, style, dropout=0, dense_dropout=self.dense_dropout)
        return chain(self.name, image_shape, body)

    def _convolution(self, number: int, style: Style) -> list[keras.Layer]:
        """The convolution of that number, from 1, and what follows it."""
        from keras import layers

        filters, kernel_size = self.filters[number - 1], self.kernel_sizes[number - 1]
        strides, padding = (self.first_strides, self.padding) if number == 1 else (1, "same")
        made: list[keras.Layer] = [
            convolution(filters, kernel_size, style, str(number), strides=strides, padding=padding)
        ]
        if self.local_response_normalization and number in NORMALIZED:
            made += [self.local_response.layer(f"response_{number}")]
        if number in POOLED:
            made += [layers.MaxPooling2D(self.pool_size, self.pool_strides, self.padding, name=f"pool_{number}")]
        return made
