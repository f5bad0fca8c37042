"""GoogLeNet."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from imgclf.models.base import ModelSettings
from imgclf.models.blocks import Style, convolution, normalization
from imgclf.models.initializers import GLOROT_UNIFORM, ZEROS, BiasInitializer, Initializer
from imgclf.models.layers import Activation
from imgclf.models.local_response import LocalResponse
from imgclf.settings import Count, Fraction, ImageShape

if TYPE_CHECKING:
    import keras

Module = tuple[Count, Count, Count, Count, Count, Count]
Stage = Annotated[tuple[Module, ...], Field(min_length=1, max_length=len(ascii_lowercase))]

TABLE_1: tuple[tuple[Module, ...], ...] = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
FIRST_STAGE = 3  # the paper counts the stem's two convolutions as stages 1 and 2


class GoogLeNet(ModelSettings):
    """GoogLeNet: a stem, nine inception modules in three stages, and the mean of each map (Szegedy et al., 2015).

    The numbers are those of table 1: 6,998,552 weights for images of 224x224x3 and 1,000 classes. The two auxiliary
    classifiers of training are left out: a body has one output, which all heads share.

    Input: float32 (batch, height, width, channels) of any size, as everything is padded; five halvings leave one
    pixel of 32. Output: features (batch, sum of the last module's maps). Layers have the paper's names: ``conv_3a_1x1``
    to ``concat_5b``.
    """

    name: Literal["googlenet"] = Field(description="GoogLeNet: nine inception modules.")
    stem_filters: tuple[Count, Count, Count] = Field(
        (64, 64, 192), description="Filters of the stem's convolutions: 7x7 with strides of 2, 1x1, 3x3."
    )
    stages: tuple[Stage, ...] = Field(
        TABLE_1,
        min_length=1,
        description="One list a stage, with pooling between stages; in it one list a module, its filters as the "
        "columns of table 1: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection.",
    )
    local_response_normalization: bool = Field(
        True, description="Local response normalisation in the stem: after the first pooling and the last convolution."
    )
    local_response: LocalResponse = Field(LocalResponse(), description="Constants of that normalisation.")
    batch_norm: bool = Field(False, description="Batch normalisation after each convolution, before the activation.")
    dropout: Fraction = Field(0.4, description="Share of the features that is dropped.")
    activation: Activation = Field("relu", description="Activation of every convolution.")
    kernel_initializer: Initializer = Field(GLOROT_UNIFORM, description="How the weights start.")
    bias_initializer: BiasInitializer = Field(ZEROS, description="How the biases start.")

    def build_body(self, image_shape: ImageShape) -> keras.Model:
        from keras import Model, layers

        image = layers.Input(image_shape, name="image")
        maps = self._stem(image)
        for number, stage in enumerate(self.stages, FIRST_STAGE):
            if number > FIRST_STAGE:
                maps = _pool(f"pool_{number - 1}")(maps)
            for letter, module in zip(ascii_lowercase, stage, strict=False):
                maps = self._inception(maps, module, f"{number}{letter}")
        features = layers.GlobalAveragePooling2D(name="average")(maps)
        if self.dropout:
            features = layers.Dropout(self.dropout, name="dropout")(features)
        return Model(image, features, name=self.name)

    def _stem(self, image: keras.KerasTensor) -> keras.KerasTensor:
        wide, reduced, last = self.stem_filters
        maps = _pool("pool_1")(self._convolve(image, wide, 7, "1", strides=2))
        maps = self._respond(maps, "response_1")
        maps = self._convolve(self._convolve(maps, reduced, 1, "2_reduce"), last, 3, "2")
        return _pool("pool_2")(self._respond(maps, "response_2"))

    def _inception(self, maps: keras.KerasTensor, module: Module, place: str) -> keras.KerasTensor:
        """Four branches side by side, their maps joined (figure 2b)."""
        from keras import layers

        point, reduce_3, out_3, reduce_5, out_5, projection = module
        reduced_3 = self._convolve(maps, reduce_3, 1, f"{place}_3x3_reduce")
        reduced_5 = self._convolve(maps, reduce_5, 1, f"{place}_5x5_reduce")
        branches = [
            self._convolve(maps, point, 1, f"{place}_1x1"),
            self._convolve(reduced_3, out_3, 3, f"{place}_3x3"),
            self._convolve(reduced_5, out_5, 5, f"{place}_5x5"),
            self._convolve(_pool(f"pool_{place}", strides=1)(maps), projection, 1, f"{place}_projection"),
        ]
        return layers.Concatenate(name=f"concat_{place}")(branches)

    def _convolve(
        self, maps: keras.KerasTensor, filters: int, kernel_size: int, place: str, strides: int = 1
    ) -> keras.KerasTensor:
        style = Style(self.activation, self.kernel_initializer, self.bias_initializer, self.batch_norm)
        for layer in (convolution(filters, kernel_size, style, place, strides=strides), *normalization(style, place)):
            maps = layer(maps)
        return maps

    def _respond(self, maps: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return self.local_response.layer(name)(maps) if self.local_response_normalization else maps


def _pool(name: str, strides: int = 2) -> keras.layers.MaxPooling2D:
    from keras import layers

    return layers.MaxPooling2D(3, strides, "same", name=name)
