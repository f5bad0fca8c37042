"""The network with ELU, batch normalisation, weight decay and growing dropout of many CIFAR-10 tutorials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from imgclf.models.base import ModelSettings
from imgclf.models.blocks import Filters
from imgclf.models.initializers import GLOROT_UNIFORM, ZEROS, BiasInitializer, Initializer
from imgclf.models.layers import Activation, batch_normalization, dense_layers
from imgclf.settings import Count, Fraction, ImageShape, Misfit, NonNegative

if TYPE_CHECKING:
    import keras


class EluCnn(ModelSettings):
    """Blocks of convolutions, each with activation and then batch normalisation; pooling and dropout after each block.

    Input: float32 (batch, height, width, channels). Output: features (batch, dense_units[-1]), or the flattened
    maps where dense_units is empty. The activation stands before the normalisation, as the tutorials have it.
    """

    name: Literal["elu_cnn"] = Field(description="Blocks of convolution, ELU and batch normalisation, with dropout.")
    blocks: tuple[Filters, ...] = Field(
        ((32, 32), (64, 64), (128, 128)),
        min_length=1,
        description="One list a block: the filters of its convolutions, in order.",
    )
    kernel_size: Count = Field(3, description="Side of each filter, in pixels.")
    block_dropout: tuple[Fraction, ...] = Field(
        (0.2, 0.3, 0.4), description="Share of the maps' values that is dropped after each block, one number a block."
    )
    weight_decay: NonNegative = Field(
        1e-4, description="Factor of the sum of the convolutions' squared weights that is added to the loss (L2)."
    )
    dense_units: tuple[Count, ...] = Field((), description="Units of each dense layer, in order; may be empty.")
    activation: Activation = Field("elu", description="Activation of every convolution and dense layer.")
    kernel_initializer: Initializer = Field(GLOROT_UNIFORM, description="How the weights start.")
    bias_initializer: BiasInitializer = Field(ZEROS, description="How the biases start.")

    @model_validator(mode="after")
    def _a_dropout_a_block(self) -> EluCnn:
        if len(self.block_dropout) != len(self.blocks):
            found = f"must hold one number a block: {len(self.blocks)}; got {len(self.block_dropout)}"
            raise Misfit(("block_dropout",), found, others=(("blocks",),))
        return self

    def smallest_image(self) -> tuple[int, int]:
        side = 2 ** len(self.blocks)
        return side, side

    def build_body(self, image_shape: ImageShape) -> keras.Model:
        from keras import Sequential, layers

        body = [layers.Input(image_shape, name="image")]
        for number, (block, dropout) in enumerate(zip(self.blocks, self.block_dropout, strict=True), 1):
            for place, filters in enumerate(block, 1):
                body += [self._convolution(filters, f"{number}_{place}"), batch_normalization(f"norm_{number}_{place}")]
            body += [layers.MaxPooling2D(2, name=f"pool_{number}")]
            body += [layers.Dropout(dropout, name=f"dropout_{number}")] if dropout else []
        body += [layers.Flatten(name="flatten")]
        body += dense_layers(self.dense_units, self.activation, self.kernel_initializer, self.bias_initializer)
        return Sequential(body, name=self.name)

    def _convolution(self, filters: int, place: str) -> keras.Layer:
        from keras import layers, regularizers

        return layers.Conv2D(
            filters,
            self.kernel_size,
            padding="same",
            activation=self.activation,
            kernel_initializer=self.kernel_initializer.build(),
            bias_initializer=self.bias_initializer.build(),
            kernel_regularizer=regularizers.L2(self.weight_decay) if self.weight_decay else None,
            name=f"conv_{place}",
        )
