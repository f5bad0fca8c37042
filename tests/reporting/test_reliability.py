"""The reliability diagram."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from imgclf.reporting.reliability import draw_reliability
from imgclf.reporting.style import WRONG


def _pixels(png: bytes) -> NDArray[np.uint8]:
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))


def _shows(pixels: NDArray[np.uint8], colour: str) -> bool:
    return bool((pixels == ImageColor.getrgb(colour)).all(axis=2).any())


def test_reliability_diagram_leaves_empty_bins_empty() -> None:
    empty = {"lower": 0.0, "upper": 0.5, "count": 0, "confidence": None, "accuracy": None}
    filled = {"lower": 0.5, "upper": 1.0, "count": 10, "confidence": 0.9, "accuracy": 0.6}
    pixels = _pixels(draw_reliability([empty, filled], 0.3))
    assert _shows(pixels, WRONG)
    middle = pixels[len(pixels) // 2]
    assert middle[: len(middle) // 3].std() < middle[len(middle) // 2 :].std()
