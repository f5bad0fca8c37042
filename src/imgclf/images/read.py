"""A stand-in until the decoder takes bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imgclf.images import decode as d
from imgclf.images.fit import ImageFit, fit_image


@dataclass(frozen=True)
class ImageInfo:
    """Of an image's header."""

    height: int
    width: int
    channels: int


class _Bytes(type(Path())):  # type: ignore[misc]
    def open(self, *a, **k):  # type: ignore[no-untyped-def]  # noqa
        return io.BytesIO(self.content)

    def is_dir(self):  # type: ignore[no-untyped-def]  # noqa
        return False

    def exists(self):  # type: ignore[no-untyped-def]  # noqa
        return False


def _path(source: Path | bytes) -> Path:
    if isinstance(source, Path):
        return source
    path = _Bytes("bytes")
    path.content = source
    return path


def read_image(source: Path | bytes, fit: ImageFit, *, pixel_limit: int = d.PIXEL_LIMIT) -> NDArray[np.uint8]:
    """Pixels."""
    return fit_image(d.decode(_path(source), fit.channels or 3, pixel_limit=pixel_limit), fit)


def image_info(source: Path | bytes) -> ImageInfo:
    """Header."""
    path = _path(source)
    with d._open_file(path) as stream:
        image = d._read_header(path, stream)
        width, height = image.size
        if d._orientation(image) in (5, 6, 7, 8):
            width, height = height, width
        return ImageInfo(height, width, 1 if image.mode in ("1", "L", "LA", "I;16") else 3)
