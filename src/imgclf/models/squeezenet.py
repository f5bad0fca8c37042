"""SqueezeNet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from imgclf.models.base import ModelSettings
from imgclf.models.entrance import PixelRange, entrance, entrance_notes, entrance_problem
from imgclf.models.published import PublishedWeights
from imgclf.settings import Fraction, ImageShape

if TYPE_CHECKING:
    import keras

PIXEL_RANGE: PixelRange = "caffe"
FIRST = {"1.0": (96, 7), "1.1": (64, 3)}  # filters and kernel side of conv1
LEAST_SIDE = {"1.0": 35, "1.1": 31}  # from which each of the unpadded poolings has a whole window
POOLED = {"1.0": (4, 8), "1.1": (3, 5)}  # the fire modules that a pooling follows
SQUEEZED = {2: 16, 3: 16, 4: 32, 5: 32, 6: 48, 7: 48, 8: 64, 9: 64}  # filters; each expansion has four times as many


class SqueezeNet(ModelSettings):
    """SqueezeNet (Iandola et al., 2016): fire modules, which squeeze the maps by 1x1 filters and expand them again.

    Input: float32 (batch, height, width, 1 or 3), pixels 0 to 1. Output: features (batch, 512), the means of the last
    maps. The published network classifies every place by a 1x1 convolution (conv10) and takes the mean over the
    places; a dense layer on the means is the same, as both are linear, but for the ReLU that the paper has between
    them: logits here may be negative. Parameters with 1,000 classes: 1,248,424 (1.0) and 1,235,496 (1.1).
    """

    name: Literal["squeezenet"] = Field(description="SqueezeNet: fire modules, few parameters.")
    version: Literal["1.0", "1.1"] = Field(
        "1.1", description="1.1 pools earlier: about a third of the multiply-adds of 1.0."
    )
    weights: str | None = Field(
        "imagenet",
        min_length=1,
        description="What the network begins with: `imagenet` (looked for in the data folder under weights/, then in "
        "Keras' cache), the path of a file of its weights that Keras saved (`.h5`, as the package keras-squeezenet "
        "has it, or `.weights.h5`), or null: random numbers.",
    )
    dropout: Fraction = Field(0.5, description="Share of the last maps' values that is dropped.")

    def image_problem(self, image_shape: ImageShape) -> str | None:
        return entrance_problem(image_shape)

    def has_entrance(self) -> bool:
        return True

    def notes(self, image_shape: ImageShape) -> tuple[str, ...]:
        return entrance_notes(image_shape, PIXEL_RANGE, LEAST_SIDE[self.version])

    def published_weights(self) -> PublishedWeights | None:
        if self.weights is None:
            return None
        own = f"squeezenet{self.version.replace('.', '_')}_imagenet"
        files: tuple[str, ...] = (f"{own}_notop.h5", f"{own}.h5")
        if self.version == "1.1":
            kernels = "squeezenet_weights_tf_dim_ordering_tf_kernels"
            files += (f"{kernels}_notop.h5", f"{kernels}.h5")
        return PublishedWeights(f"SqueezeNet {self.version}", self.weights, files, None)

    def build_body(self, image_shape: ImageShape) -> keras.Model:
        import keras
        from keras import layers

        image = layers.Input(image_shape, name="image")
        filters, side = FIRST[self.version]
        maps = entrance(image, PIXEL_RANGE, LEAST_SIDE[self.version])
        maps = layers.Conv2D(filters, side, strides=2, kernel_initializer="he_uniform", name="conv1")(maps)
        maps = layers.ReLU(name="relu_conv1")(maps)
        maps = layers.MaxPooling2D(3, strides=2, name="pool1")(maps)
        for module, squeezed in SQUEEZED.items():
            maps = _fire(maps, squeezed, f"fire{module}_")
            if module in POOLED[self.version]:
                maps = layers.MaxPooling2D(3, strides=2, name=f"pool{module}")(maps)
        maps = layers.Dropout(self.dropout, name="drop9")(maps) if self.dropout else maps
        return keras.Model(image, layers.GlobalAveragePooling2D(name="features")(maps), name=self.name)


def _fire(maps: keras.KerasTensor, filters: int, prefix: str) -> keras.KerasTensor:
    """A fire module: 1x1 filters, and on theirs 1x1 and 3x3 filters side by side (section 3.2 of the paper)."""
    from keras import layers

    squeezed = _convolution(maps, filters, 1, "squeeze1x1", prefix)
    expanded = [_convolution(squeezed, 4 * filters, side, f"expand{side}x{side}", prefix) for side in (1, 3)]
    return layers.Concatenate(name=f"{prefix}concat")(expanded)


def _convolution(maps: keras.KerasTensor, filters: int, side: int, name: str, prefix: str) -> keras.KerasTensor:
    from keras import layers

    convolution = layers.Conv2D(filters, side, padding="same", kernel_initializer="he_uniform", name=f"{prefix}{name}")
    return layers.ReLU(name=f"{prefix}relu_{name}")(convolution(maps))
