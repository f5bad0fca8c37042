"""What is done to every image alike, in training and in prediction: size, channels, scale of the pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from imgclf.settings import Count, ImageShape, Settings

if TYPE_CHECKING:
    import tensorflow as tf


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

    def output_shape(self, image_shape: ImageShape) -> ImageShape:
        """Height, width and channels of the images of a data set after preprocessing."""
        height, width, channels = image_shape
        if self.size is not None:
            height, width = (self.size, self.size) if isinstance(self.size, int) else self.size
        return height, width, self.channels or channels

    def scale(self, images: tf.Tensor) -> tf.Tensor:
        """Pixels 0 to 255 of any type as float32 in the range that ``scaling`` names; same shape."""
        import tensorflow as tf

        pixels = tf.cast(images, tf.float32)
        if self.scaling == "unit":
            return pixels * (1 / 255)
        return pixels * (2 / 255) - 1 if self.scaling == "symmetric" else pixels
