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


@dataclass(frozen=True)
class ImageFit:
    """The size (height, width) and channels to bring images to, and by which rule; None leaves them as they are.

    ``squash`` stretches each side by itself, ``crop`` scales the shorter side and cuts the centre out of the longer,
    ``pad`` scales the longer side and fills the rest with ``background``, which also shows through transparent pixels.
    ``interpolation`` is how a side grows; one that shrinks is averaged by area, with ``nearest`` alone taking single
    pixels both ways.
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


def fit_image(image: NDArray[Any], fit: ImageFit) -> NDArray[Any]:
    """The image (any height, any width, 1 or 3), uint8 or float32 from 0 to 255, as ``fit`` says; of the same type.

    Colour becomes grey first and grey becomes three equal channels after scaling, so that either costs least; the
    padding of a grey image has the luminance of the background. An image that fits already is returned as it is.
    """
    from imgclf.images.resize import pad, resize, to_channels

    channels = fit.channels or image.shape[2]
    height, width = image.shape[:2]
    cut, inner, outer = fit.geometry(height, width)
    grey = to_channels(image, 1) if channels == 1 else image
    top, left = (height - cut[0]) // 2, (width - cut[1]) // 2
    scaled = resize(grey[top : top + cut[0], left : left + cut[1]], *inner, fit.interpolation)
    return pad(to_channels(scaled, channels), *outer, fit.background)


def _scaled(size: tuple[int, int], scale: float, most: tuple[int, int]) -> tuple[int, int]:
    """Height and width times ``scale``, rounded; at least 1 and at most ``most``."""
    height, width = (min(max(1, round(side * scale)), end) for side, end in zip(size, most, strict=True))
    return height, width
