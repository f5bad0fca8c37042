"""A plain convolutional network of blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from imgclf.models.base import ModelSettings
from imgclf.models.initializers import GLOROT_UNIFORM, ZEROS, Initializer
from imgclf.models.layers import Activation, batch_normalization, dense_layers
from imgclf.settings import Count, Fraction, ImageShape

if TYPE_CHECKING:
    import keras


class SimpleCnn(ModelSettings):
    """Blocks of convolutions, each block followed by max pooling; then dense layers.

    Input: float32 (batch, height, width, channels). Output: features (batch, dense_units[-1]), or the flattened
    maps where dense_units is empty.
    """

    name: Literal["simple_cnn"] = Field(description="Blocks of convolutions and pooling, then dense layers.")
    blocks: tuple[tuple[Count, ...], ...] = Field(
        ((64, 128),), min_length=1, description="One list a block: the filters of its convolutions, in order."
    )
    kernel_size: Count = Field(3, description="Side of each filter, in pixels.")
    padding: Literal["valid", "same"] = Field("valid", description="`same` pads, so that a convolution keeps the size.")
    pool_size: Count = Field(2, description="Side of the max pooling after each block, in pixels; 1: no pooling.")
    batch_norm: bool = Field(
        False, description="Batch normalisation after each convolution (and its pooling), before the activation."
    )
    block_dropout: Fraction = Field(0.0, description="Share of the maps' values that is dropped after each block.")
    flatten_dropout: Fraction = Field(0.3, description="Share of the values that is dropped before the dense layers.")
    dense_units: tuple[Count, ...] = Field((1024,), description="Units of each dense layer, in order; may be empty.")
    dense_dropout: Fraction = Field(0.3, description="Share of the units that is dropped after each dense layer.")
    activation: Activation = Field("relu", description="Activation of every convolution and dense layer.")
    kernel_initializer: Initializer = Field(GLOROT_UNIFORM, description="How the weights start.")
    bias_initializer: Initializer = Field(ZEROS, description="How the biases start.")

    def smallest_image(self) -> tuple[int, int]:
        side = 1
        for block in reversed(self.blocks):
            side *= self.pool_size
            side += (self.kernel_size - 1) * len(block) if self.padding == "valid" else 0
        return side, side

    def build_body(self, image_shape: ImageShape) -> keras.Model:
        from keras import Sequential, layers

        body = [layers.Input(image_shape, name="image")]
        for number, block in enumerate(self.blocks, 1):
            for place, filters in enumerate(block, 1):
                body += [self._convolution(filters, f"{number}_{place}")]
                if place == len(block) and self.pool_size > 1:
                    # Before the normalisation, which then works on a quarter of the values.
                    body += [layers.MaxPooling2D(self.pool_size, name=f"pool_{number}")]
                body += self._normalization(f"{number}_{place}") if self.batch_norm else []
            body += [layers.Dropout(self.block_dropout, name=f"dropout_{number}")] if self.block_dropout else []
        body += [layers.Flatten(name="flatten")]
        body += [layers.Dropout(self.flatten_dropout, name="flatten_dropout")] if self.flatten_dropout else []
        initializers = self.kernel_initializer, self.bias_initializer
        body += dense_layers(self.dense_units, self.activation, *initializers, dropout=self.dense_dropout)
        return Sequential(body, name=self.name)

    def _convolution(self, filters: int, place: str) -> keras.Layer:
        from keras import layers

        return layers.Conv2D(
            filters,
            self.kernel_size,
            padding=self.padding,
            activation=None if self.batch_norm else self.activation,
            use_bias=not self.batch_norm,
            kernel_initializer=self.kernel_initializer.build(),
            bias_initializer=self.bias_initializer.build(),
            name=f"conv_{place}",
        )

    def _normalization(self, place: str) -> list[keras.Layer]:
        from keras import layers

        return [batch_normalization(f"norm_{place}"), layers.Activation(self.activation, name=f"activation_{place}")]
