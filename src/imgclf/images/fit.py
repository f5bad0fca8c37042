"""How images of any size are brought to one height, width and number of channels; training and prediction share it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from imgclf.settings import ImageShape

if TYPE_CHECKING:
    from numpy.typing import NDArray

ResizeRule = Literal["squash", "crop", "pad"]
Interpolation = Literal["nearest", "linear", "cubic", "lanczos"]
WHITE = (255, 255, 255)
REDUCTIONS = ((2, 2), (4, 8), (8, 16))  # a decoder's factors, each with the factor of the whole reduction to be used in


@dataclass(frozen=True)
class ImageFit:
    """The size (height, width) and channels to bring images to, and by which rule; None leaves them as they are.

    ``squash`` stretches each side by itself, ``crop`` scales the shorter side and cuts the centre out of the longer,
    ``pad`` scales the longer side and fills the rest with ``background``, which also shows through transparent pixels.
    ``interpolation`` is how a side grows; one that shrinks is averaged, by area or, of a JPEG, by its decoder, with
    ``nearest`` alone taking single pixels both ways.
    """

    size: tuple[int, int] | None = None
    channels: Literal[1, 3] | None = None
    resize: ResizeRule = "squash"
    interpolation: Interpolation = "linear"
    background: tuple[int, int, int] = WHITE

    def completed(self, image_shape: ImageShape) -> ImageFit:
        """The same rule with a size and channels for sure: those of ``image_shape`` where they were None."""
        height, width, channels = image_shape
        return replace(self, size=self.size or (height, width), channels=self.channels or (1 if channels == 1 else 3))

    def geometry(self, height: int, width: int) -> Geometry:
        """What becomes of an image of this height and width."""
        if self.size is None:
            return Geometry((height, width), (height, width), (height, width))
        scales = self.size[0] / height, self.size[1] / width
        if self.resize == "crop":
            scale = max(scales)
            return Geometry(_scaled(self.size, 1 / scale, (height, width)), self.size, self.size)
        if self.resize == "pad":
            return Geometry((height, width), _scaled((height, width), min(scales), self.size), self.size)
        return Geometry((height, width), self.size, self.size)

    def reduction(self, height: int, width: int) -> int:
        """By how much a decoder may reduce a picture of this height and width beforehand: 1, 2, 4 or 8.

        By 2 where the result is half the picture or less, by 4 and 8 where a factor of 2 is left for averaging; the
        centre to cut out must start on a whole reduced pixel.
        """
        if self.size is None or self.interpolation == "nearest":
            return 1
        cut, inner, _ = self.geometry(height, width)
        ratio = min(cut[0] / inner[0], cut[1] / inner[1])
        starts = (height - cut[0]) // 2, (width - cut[1]) // 2
        factors = [factor for factor, least in REDUCTIONS if ratio >= least and not any(s % factor for s in starts)]
        return max(factors, default=1)

    def steps(self, height: int, width: int) -> tuple[str, ...]:
        """For a person: what is done to an image of this height and width, in order; empty where nothing is."""
        cut, inner, outer = self.geometry(height, width)
        return (
            *([f"cropped from {width}x{height} to {cut[1]}x{cut[0]}"] if cut != (height, width) else []),
            *([f"resized from {cut[1]}x{cut[0]} to {inner[1]}x{inner[0]}"] if inner != cut else []),
            *([f"padded from {inner[1]}x{inner[0]} to {outer[1]}x{outer[0]}"] if outer != inner else []),
        )


class Geometry(NamedTuple):
    """Heights and widths: of the centre that is cut out, of what it is scaled to, and with the padding around it."""

    cut: tuple[int, int]
    inner: tuple[int, int]
    outer: tuple[int, int]


AS_THEY_ARE = ImageFit()


def fit_image(image: NDArray[Any], fit: ImageFit, original: tuple[int, int] | None = None) -> NDArray[Any]:
    """The image (any height, any width, 1 or 3), uint8 or float32 from 0 to 255, as ``fit`` says; of the same type.

    Colour becomes grey first and grey becomes three equal channels after scaling, so that either costs least; the
    padding of a grey image has the luminance of the background. An image that fits already is returned as it is.
    ``original`` is the height and width of the picture where ``image`` may be its ``reduction`` by a decoder, whose
    last row and column then reach past the picture.
    """
    from imgclf.images.resize import pad, resize, to_channels

    channels = fit.channels or image.shape[2]
    height, width = original or image.shape[:2]
    factor = 1 if image.shape[:2] == (height, width) else fit.reduction(height, width)
    cut, inner, outer = fit.geometry(height, width)
    grey = to_channels(image, 1) if channels == 1 else image
    centre = grey[_middle(cut[0], height, factor), _middle(cut[1], width, factor)]
    extent = (cut[0] / factor, cut[1] / factor) if factor > 1 else None
    scaled = resize(centre, *inner, fit.interpolation, extent)
    return pad(to_channels(scaled, channels), *outer, fit.background)


def _middle(part: int, whole: int, factor: int) -> slice:
    """The middle ``part`` of ``whole`` pixels, on an axis that is reduced by ``factor``; a last half pixel is in it."""
    start = (whole - part) // 2
    return slice(start // factor, -(-(start + part) // factor))


def _scaled(size: tuple[int, int], scale: float, most: tuple[int, int]) -> tuple[int, int]:
    """Height and width times ``scale``, rounded; at least 1 and at most ``most``."""
    height, width = (min(max(1, round(side * scale)), end) for side, end in zip(size, most, strict=True))
    return height, width
