"""What is done to every image alike, in training and in prediction: size, channels, scale, normalisation, whitening."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from imgclf.preprocessing.normalization import NormalizationUnion
from imgclf.preprocessing.whitening import MOST_NUMBERS, WhiteningUnion
from imgclf.settings import Count, ImageShape, Settings

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf
    from numpy.typing import NDArray


ColourLevel = Annotated[int, Field(ge=0, le=255)]


class PreprocessingSettings(Settings):
    """The section ``preprocessing``: how an image becomes the numbers that the model sees."""

    size: Count | tuple[Count, Count] | None = Field(
        None,
        description="Height and width in pixels (one number: a square) that images are brought to. null: as they are.",
    )
    channels: Literal[1, 3] | None = Field(None, description="1: grey; 3: red, green, blue; null: as the images are.")
    resize: Literal["squash", "crop", "pad"] = Field(
        "squash",
        description="How images of another shape are brought to `size`: `squash` stretches each side by itself, `crop` "
        "scales the shorter side and cuts the centre out, `pad` scales the longer side and fills up with `background`.",
    )
    interpolation: Literal["nearest", "linear", "cubic", "lanczos"] = Field(
        "linear",
        description="How a side grows. One that shrinks is averaged by area, so that nothing is skipped; only "
        "`nearest` takes single pixels as they are, growing and shrinking.",
    )
    background: tuple[ColourLevel, ColourLevel, ColourLevel] = Field(
        (255, 255, 255),
        description="Red, green and blue, 0 to 255 each, of what lies behind transparent pixels and around padded "
        "images; in grey images its luminance.",
    )
    scaling: Literal["unit", "symmetric", "none"] = Field(
        "unit",
        description="Range of the pixels that the model sees: `unit` 0 to 1, `symmetric` -1 to 1, `none` 0 to 255.",
    )
    normalization: NormalizationUnion | None = Field(
        None, description="Mean and deviation that the pixels are freed of after `scaling`. null: none."
    )
    whitening: WhiteningUnion | None = Field(
        None,
        description="Correlations that the pixels are freed of after `normalization`: fitted on the training images, "
        "stored in the run as a matrix of (height x width x channels)^2 numbers, for images of at most "
        f"{MOST_NUMBERS:,} numbers (64x64 grey, 36x36 in colour). null: none.",
    )

    @property
    def parts(self) -> dict[str, Any]:
        """What follows the scaling, by key, in its order."""
        both = {"normalization": self.normalization, "whitening": self.whitening}
        return {key: part for key, part in both.items() if part is not None}

    def output_shape(self, image_shape: ImageShape) -> ImageShape:
        """Height, width and channels of the images of a data set after preprocessing."""
        height, width, channels = image_shape
        if self.size is not None:
            height, width = (self.size, self.size) if isinstance(self.size, int) else self.size
        return height, width, self.channels or channels

    def arrays(self, shape: ImageShape) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the float32 arrays that are fitted on images of ``shape``, that after preprocessing."""
        return {name: size for part in self.parts.values() for name, size in part.arrays(shape).items()}

    def scale(self, images: tf.Tensor) -> tf.Tensor:
        """Pixels 0 to 255 of any type as float32 in the range that ``scaling`` names; same shape."""
        import tensorflow as tf

        pixels = tf.cast(images, tf.float32)
        if self.scaling == "unit":
            return pixels * (1 / 255)
        return pixels * (2 / 255) - 1 if self.scaling == "symmetric" else pixels


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """The one function from pixels to what the model sees, with what was fitted on the training images.

    ``fitted`` holds what ``settings.arrays`` names.
    """

    settings: PreprocessingSettings
    fitted: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def apply(self, images: tf.Tensor) -> tf.Tensor:
        """Pixels 0 to 255 of any type (batch, height, width, channels) as the model sees them: float32, same shape."""
        pixels = self.settings.scale(images)
        for part in self.settings.parts.values():
            pixels = part.apply(pixels, self._tensors)
        return pixels

    @cached_property
    def _tensors(self) -> dict[str, Any]:
        import tensorflow as tf

        # Outside of any graph: a constant inside would be copied into each one that is traced.
        with tf.init_scope():
            return {name: tf.constant(array) for name, array in self.fitted.items()}
