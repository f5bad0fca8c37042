"""A convolutional network that first turns, shifts and scales each image as it has learned to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from imgclf.models.affine import IDENTITY, Transform, sampler_class
from imgclf.models.base import ModelSettings
from imgclf.models.blocks import Filters, Padding, Style, flat_layers, smallest_side, stage_layers
from imgclf.models.initializers import GLOROT_UNIFORM, ZEROS, BiasInitializer, Initializer
from imgclf.models.layers import Activation, dense_layers
from imgclf.settings import Count, Fraction, ImageShape, Misfit

if TYPE_CHECKING:
    import keras

SAMPLER = "sampler"


class SpatialTransformer(ModelSettings):
    """A spatial transformer in front of a plain convolutional network (Jaderberg et al., 2015, ST-CNN).

    A small network, the localisation, computes a transform for each image; the sampler makes the image anew through
    it, bilinearly, with 0 for what lies outside; the blocks of ``simple_cnn`` follow. It is trained by the loss of the
    classes alone and starts as the identity. Input: float32 (batch, height, width, channels). Output: features (batch,
    dense_units[-1]), or the flattened maps where dense_units is empty.
    """

    name: Literal["spatial_transformer"] = Field(
        description="A network that learns to turn, shift and scale each image, in front of `simple_cnn`."
    )
    transform: Transform = Field(
        "affine",
        description="What the sampler may do: `affine` (six numbers), `rotation` (an angle), or `translation_scale` "
        "(one scale and a shift).",
    )
    localisation_filters: tuple[Count, ...] = Field(
        (20, 20),
        description="Filters of each convolution of the localisation, 5x5 pixels on images that pooling has halved "
        "before; may be empty.",
    )
    localisation_dense_units: tuple[Count, ...] = Field(
        (20,), description="Units of each dense layer of the localisation, in order; may be empty."
    )
    sampled_size: Count | tuple[Count, Count] | None = Field(
        None, description="Height and width (one number: a square) of the sampler's images. null: those of its input."
    )
    blocks: tuple[Filters, ...] = Field(
        ((32,), (64,)), min_length=1, description="As in `simple_cnn`: one list a block, the filters of its layers."
    )
    kernel_size: Count = Field(3, description="Side of each filter of the blocks, in pixels.")
    padding: Padding = Field("valid", description="`same` pads, so that a convolution keeps the size.")
    pool_size: Count = Field(2, description="Side of the max pooling after each block, in pixels; 1: no pooling.")
    batch_norm: bool = Field(False, description="Batch normalisation after each convolution of the blocks.")
    block_dropout: Fraction = Field(0.0, description="Share of the maps' values that is dropped after each block.")
    flatten_dropout: Fraction = Field(0.0, description="Share of the values that is dropped before the dense layers.")
    dense_units: tuple[Count, ...] = Field((128,), description="Units of each dense layer, in order; may be empty.")
    dense_dropout: Fraction = Field(0.0, description="Share of the units that is dropped after each dense layer.")
    activation: Activation = Field("relu", description="Activation of every convolution and dense layer.")
    kernel_initializer: Initializer = Field(
        GLOROT_UNIFORM, description="How the weights start, but those of the transform, which are 0."
    )
    bias_initializer: BiasInitializer = Field(
        ZEROS, description="How the biases start, but those of the transform, which are the identity."
    )

    @model_validator(mode="after")
    def _sampled_images_are_large_enough(self) -> SpatialTransformer:
        size, least = self._size(), self._smallest_sampled()
        if size is not None and min(size) < least:
            found = f"must be at least {least}x{least} for these blocks; got {size[0]}x{size[1]}"
            raise Misfit(("sampled_size",), found, others=(("blocks",), ("kernel_size",), ("pool_size",)))
        return self

    def smallest_image(self) -> tuple[int, int]:
        side = max(2 ** len(self.localisation_filters), 1 if self.sampled_size else self._smallest_sampled())
        return side, side

    def image_layer(self) -> str:
        return SAMPLER

    def build_body(self, image_shape: ImageShape) -> keras.Model:
        import keras

        image = keras.layers.Input(image_shape, name="image")
        numbers = _through(self._localisation(), image)
        sampled = sampler_class()(self.transform, self._size(), name=SAMPLER)([image, numbers])
        return keras.Model(image, _through(self._cnn(), sampled), name=self.name)

    def _localisation(self) -> list[keras.Layer]:
        """From images to the numbers of their transforms, which are the identity before training."""
        from keras import layers

        made: list[keras.Layer] = []
        for number, filters in enumerate(self.localisation_filters, 1):
            made += [layers.MaxPooling2D(2, name=f"localisation_pool_{number}")]
            made += [
                layers.Conv2D(
                    filters,
                    5,
                    padding="same",
                    activation=self.activation,
                    kernel_initializer=self.kernel_initializer.build(),
                    bias_initializer=self.bias_initializer.build(),
                    name=f"localisation_conv_{number}",
                )
            ]
        made += [layers.Flatten(name="localisation_flatten")]
        made += dense_layers(
            self.localisation_dense_units,
            self.activation,
            self.kernel_initializer,
            self.bias_initializer,
            prefix="localisation_",
        )
        return [*made, self._numbers()]

    def _numbers(self) -> keras.Layer:
        from keras import initializers, layers

        identity = IDENTITY[self.transform]
        return layers.Dense(
            len(identity),
            kernel_initializer="zeros",
            bias_initializer=initializers.Constant(list(identity)),
            dtype="float32",  # bfloat16 would move what the sampler sees of a large image by a pixel
            name="transform",
        )

    def _size(self) -> tuple[int, int] | None:
        size = self.sampled_size
        return (size, size) if isinstance(size, int) else size

    def _smallest_sampled(self) -> int:
        return smallest_side(self.blocks, self.kernel_size, self.padding, self.pool_size)

    def _cnn(self) -> list[keras.Layer]:
        """From the sampler's images to features."""
        style = Style(self.activation, self.kernel_initializer, self.bias_initializer, self.batch_norm)
        made = stage_layers(
            self.blocks,
            self.kernel_size,
            style,
            padding=self.padding,
            pool_size=self.pool_size,
            dropout=self.block_dropout,
        )
        return made + flat_layers(
            self.dense_units, style, dropout=self.flatten_dropout, dense_dropout=self.dense_dropout
        )


def _through(layers: list[keras.Layer], tensor: keras.KerasTensor) -> keras.KerasTensor:
    for layer in layers:
        tensor = layer(tensor)
    return tensor
