"""The entrance of a published network: from pixels 0 to 1 to the size and the numbers that it was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from imgclf.settings import ImageShape

if TYPE_CHECKING:
    import keras

PixelRange = Literal["caffe", "tf", "torch", "bytes", "bytes/128 - 1"]

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's red, green, blue of 0 to 1
_CAFFE_MEAN = (103.939, 116.779, 123.68)  # blue, green, red of 0 to 255, as Caffe's models have it
_SCALES: dict[PixelRange, tuple[list[float], list[float]]] = {
    "caffe": ([255.0] * 3, [-mean for mean in _CAFFE_MEAN]),
    "tf": ([2.0] * 3, [-1.0] * 3),
    "torch": (
        [1 / deviation for deviation in _DEVIATION],
        [-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)],
    ),
    "bytes": ([255.0] * 3, [0.0] * 3),
    "bytes/128 - 1": ([255 / 128] * 3, [-1.0] * 3),
}
_WORDS: dict[PixelRange, str] = {
    "caffe": "blue, green, red of 0 to 255 minus ImageNet's mean",
    "tf": "-1 to 1",
    "torch": "0 to 1 minus ImageNet's mean, by its deviation",
    "bytes": "0 to 255",
    "bytes/128 - 1": "-1 to 0.99",
}


def entrance(image: keras.KerasTensor, pixel_range: PixelRange, least_side: int) -> keras.KerasTensor:
    """Images as a published network wants them: float32 (batch, height, width, 3), whatever the dtype policy is.

    ``image`` is float32 (batch, height, width, 1 or 3), pixels 0 to 1: in bfloat16 neighbouring values would fall
    together. Images with a side below ``least_side`` are enlarged (bilinear), grey ones get their channel three times.
    """
    import keras
    from keras import layers

    height, width, channels = image.shape[1:]
    pixels, size = image, enlarged((height, width, channels), least_side)
    if size != (height, width):
        pixels = layers.Resizing(*size, interpolation="bilinear", dtype="float32", name="enlarge")(pixels)
    if channels == 1:
        pixels = layers.Concatenate(dtype="float32", name="grey_to_colour")([pixels] * 3)
    if pixel_range == "caffe":
        pixels = keras.ops.flip(pixels, axis=-1)
    scale, offset = _SCALES[pixel_range]
    return layers.Rescaling(scale, offset, dtype="float32", name="pixel_range")(pixels)


def entrance_notes(image_shape: ImageShape, pixel_range: PixelRange, least_side: int) -> tuple[str, ...]:
    """What :func:`entrance` does to images of this shape, one line each."""
    height, width, channels = image_shape
    size = enlarged(image_shape, least_side)
    grown = (f"enlarges images from {height}x{width} to {size[0]}x{size[1]}",) if size != (height, width) else ()
    tripled = ("repeats the grey channel three times",) if channels == 1 else ()
    return *grown, *tripled, f"brings pixels from 0 to 1 to its own range: {_WORDS[pixel_range]}"


def entrance_problem(image_shape: ImageShape) -> str | None:
    """Why no entrance can be built for images of this shape, or None where it can."""
    channels = image_shape[2]
    return None if channels in (1, 3) else f"this model takes grey or colour images (1 or 3 channels); found {channels}"


def enlarged(image_shape: ImageShape, least_side: int) -> tuple[int, int]:
    """Height and width (pixels) once the shorter side has ``least_side`` or more; the proportions stay."""
    height, width, _ = image_shape
    factor = max(1.0, least_side / min(height, width))
    return round(height * factor), round(width * factor)
