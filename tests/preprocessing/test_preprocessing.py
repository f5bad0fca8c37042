from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from imgclf.preprocessing import PreprocessingSettings


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, (28, 30, 3)),
        ({"size": 32}, (32, 32, 3)),
        ({"size": (20, 40)}, (20, 40, 3)),
        ({"channels": 1}, (28, 30, 1)),
        ({"size": 8, "channels": 3}, (8, 8, 3)),
    ],
)
def test_the_shape_after_preprocessing(settings: dict[str, Any], wanted: tuple[int, int, int]) -> None:
    assert PreprocessingSettings(**settings).output_shape((28, 30, 3)) == wanted


@pytest.mark.parametrize(("scaling", "low", "high"), [("unit", 0, 1), ("symmetric", -1, 1), ("none", 0, 255)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_pixels_are_brought_to_the_range_in_float32(scaling: str, low: float, high: float, kind: type) -> None:
    pixels = np.arange(256, dtype=kind).reshape(1, 16, 16, 1)
    scaled = PreprocessingSettings(scaling=scaling).scale(pixels).numpy()
    assert scaled.dtype == np.float32
    assert scaled.shape == pixels.shape
    np.testing.assert_allclose(scaled.reshape(-1), np.linspace(low, high, 256), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {"size": 0},
        {"size": (8, 0)},
        {"channels": 2},
        {"scaling": "half"},
        {"resize": "cut"},
        {"background": (0, 0, 256)},
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PreprocessingSettings(**settings)
