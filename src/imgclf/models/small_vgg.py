"""Small networks in the manner of VGG."""

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


class SmallVgg(ModelSettings):
    """Stages of 3x3 convolutions and pooling in the manner of VGG; by default the small one of Keras' blog.

    The defaults are the network for cats and dogs of "Building powerful image classification models using very little
    data" (Chollet, 2016) with 512 dense units: 3,453,121 weights for images of 150x150x3 and one logit. VGG16 itself
    (Simonyan and Zisserman, 2015, table 1, column D) is stages [[64, 64], [128, 128], [256, 256, 256],
    [512, 512, 512], [512, 512, 512]], padding same, flatten_dropout 0, dense_units [4096, 4096], dense_dropout 0.5.

    Input: float32 (batch, height, width, channels), by default 46x46 pixels or more; with padding same, 2 to the power
    of the number of stages. Output: features (batch, dense_units[-1]), or the flattened maps where dense_units is
    empty. With batch_norm, the normalisation of a stage's last convolution stands after the pooling.
    """

    name: Literal["small_vgg"] = Field(description="Stages of 3x3 convolutions and pooling, as VGG has them.")
    stages: tuple[Filters, ...] = Field(
        ((32,), (64,), (128,), (128,)),
        min_length=1,
        description="One list a stage: the filters of its convolutions, in order.",
    )
    kernel_size: Count = Field(3, description="Side of each filter, in pixels.")
    padding: Padding = Field("valid", description="`same` pads, so that a convolution keeps the size.")
    pool_size: Count = Field(2, description="Side of the max pooling after each stage, in pixels; 1: no pooling.")
    batch_norm: bool = Field(False, description="Batch normalisation after each convolution, before the activation.")
    stage_dropout: Fraction = Field(0.0, description="Share of the maps' values that is dropped after each stage.")
    flatten_dropout: Fraction = Field(0.5, description="Share of the values that is dropped before the dense layers.")
    dense_units: tuple[Count, ...] = Field((512,), description="Units of each dense layer, in order; may be empty.")
    dense_dropout: Fraction = Field(0.0, description="Share of the units that is dropped after each dense layer.")
    activation: Activation = Field("relu", description="Activation of every convolution and dense layer.")
    kernel_initializer: Initializer = Field(GLOROT_UNIFORM, description="How the weights start.")
    bias_initializer: BiasInitializer = Field(ZEROS, description="How the biases start.")

    def smallest_image(self) -> tuple[int, int]:
        side = smallest_side(self.stages, self.kernel_size, self.padding, self.pool_size)
        return side, side

    def build_body(self, image_shape: ImageShape) -> keras.Model:
        style = Style(self.activation, self.kernel_initializer, self.bias_initializer, self.batch_norm)
        body = stage_layers(
            self.stages,
            self.kernel_size,
            style,
            padding=self.padding,
            pool_size=self.pool_size,
            dropout=self.stage_dropout,
        )
        body += flat_layers(self.dense_units, style, dropout=self.flatten_dropout, dense_dropout=self.dense_dropout)
        return chain(self.name, image_shape, body)
