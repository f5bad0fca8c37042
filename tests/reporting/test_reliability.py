"""The reliability diagram."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageColor

from imgclf.reporting.reliability import Reliability, draw_reliability
from imgclf.reporting.style import WRONG


def _pixels(png: bytes) -> NDArray[np.uint8]:
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))


def _shows(pixels: NDArray[np.uint8], colour: str) -> bool:
    return bool((pixels == ImageColor.getrgb(colour)).all(axis=2).any())


EMPTY = {"lower": 0.0, "upper": 0.5, "count": 0, "confidence": None, "accuracy": None}
FILLED = {"lower": 0.5, "upper": 1.0, "count": 10, "confidence": 0.9, "accuracy": 0.6}


def test_reliability_diagram_leaves_empty_bins_empty() -> None:
    pixels = _pixels(draw_reliability({"Reliability": Reliability([EMPTY, FILLED], 0.3)}))
    assert _shows(pixels, WRONG)
    middle = pixels[len(pixels) // 2]
    assert middle[: len(middle) // 3].std() < middle[len(middle) // 2 :].std()


def test_two_reliabilities_stand_side_by_side() -> None:
    perfect = {**FILLED, "accuracy": 0.9}
    pixels = _pixels(
        draw_reliability({"unscaled": Reliability([FILLED], 0.3), "scaled": Reliability([EMPTY, perfect], 0.0)})
    )
    alone = _pixels(draw_reliability({"unscaled": Reliability([FILLED], 0.3)}))
    height, width = pixels.shape[:2]
    assert height == alone.shape[0]
    assert width == pytest.approx(2 * alone.shape[1], abs=1)
    red = (pixels == ImageColor.getrgb(WRONG)).all(axis=2)
    assert red[:, : width // 2].sum() > 2 * red[:, width // 2 :].sum() > 0  # the gap is a long line only on the left
