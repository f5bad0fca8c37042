"""A plain convolutional network of blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from imgclf.models.base import ModelSettings
from imgclf.models.blocks import Filters, Padding, Style, chain, flat_layers, smallest_side, stage_layers
from imgclf.models.initializers import GLOROT_UNIFORM, ZEROS, BiasInitializer, Initializer
from imgclf.models.layers import Activation
from imgclf.settings import Count, Fraction, ImageShape

if TYPE_CHECKING:
    import keras


class SimpleCnn(ModelSettings):
    """Blocks of convolutions, each block followed by max pooling; then dense layers.

    Input: float32 (batch, height, width, channels). Output: features (batch, dense_units[-1]), or the flattened
    maps where dense_units is empty.
    """

    name: Literal["simple_cnn"] = Field(description="Blocks of convolutions and pooling, then dense layers.")
    blocks: tuple[Filters, ...] = Field(
        ((64, 128),), min_length=1, description="One list a block: the filters of its convolutions, in order."
    )
    kernel_size: Count = Field(3, description="Side of each filter, in pixels.")
    padding: Padding = Field("valid", description="`same` pads, so that a convolution keeps the size.")
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
    bias_initializer: BiasInitializer = Field(ZEROS, description="How the biases start.")

    def smallest_image(self) -> tuple[int, int]:
        side = smallest_side(self.blocks, self.kernel_size, self.padding, self.pool_size)
        return side, side

    def build_body(self, image_shape: ImageShape) -> keras.Model:
        style = Style(self.activation, self.kernel_initializer, self.bias_initializer, self.batch_norm)
        body = stage_layers(
            self.blocks,
            self.kernel_size,
            style,
            padding=self.padding,
            pool_size=self.pool_size,
            dropout=self.block_dropout,
        )
        body += flat_layers(self.dense_units, style, dropout=self.flatten_dropout, dense_dropout=self.dense_dropout)
        return chain(self.name, image_shape, body)
