"""The network of the tutorials on Quick Draw's sketches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from imgclf.models.base import ModelSettings
from imgclf.models.blocks import Style, chain, flat_layers, smallest_side, stage_layers
from imgclf.models.initializers import GLOROT_UNIFORM, ZEROS, BiasInitializer, Initializer
from imgclf.models.layers import Activation
from imgclf.settings import Count, Fraction, ImageShape

if TYPE_CHECKING:
    import keras

POOL_SIZE = 2


class QuickdrawCnn(ModelSettings):
    """Unpadded convolutions, each followed by pooling and dropout, then a dense layer: the sketch tutorials' network.

    Input: float32 (batch, height, width, channels), by default 10x10 pixels or more. Output: features (batch,
    dense_units[-1]), or the flattened maps where dense_units is empty.
    """

    name: Literal["quickdraw_cnn"] = Field(description="Convolutions with pooling and dropout, then a dense layer.")
    filters: tuple[Count, ...] = Field((32, 64), min_length=1, description="Filters of each convolution, in order.")
    kernel_size: Count = Field(3, description="Side of each filter, in pixels.")
    pool_dropout: Fraction = Field(0.25, description="Share of the maps' values that is dropped after each pooling.")
    dense_units: tuple[Count, ...] = Field((128,), description="Units of each dense layer, in order; may be empty.")
    dense_dropout: Fraction = Field(0.5, description="Share of the units that is dropped after each dense layer.")
    activation: Activation = Field("relu", description="Activation of every convolution and dense layer.")
    kernel_initializer: Initializer = Field(GLOROT_UNIFORM, description="How the weights start.")
    bias_initializer: BiasInitializer = Field(ZEROS, description="How the biases start.")

    def smallest_image(self) -> tuple[int, int]:
        side = smallest_side(self._stages(), self.kernel_size, "valid", POOL_SIZE)
        return side, side

    def build_body(self, image_shape: ImageShape) -> keras.Model:
        style = Style(self.activation, self.kernel_initializer, self.bias_initializer)
        body = stage_layers(
            self._stages(), self.kernel_size, style, padding="valid", pool_size=POOL_SIZE, dropout=self.pool_dropout
        )
        body += flat_layers(self.dense_units, style, dropout=0, dense_dropout=self.dense_dropout)
        return chain(self.name, image_shape, body)

    def _stages(self) -> tuple[tuple[int, ...], ...]:
        return tuple((filters,) for filters in self.filters)
