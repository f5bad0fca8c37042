from __future__ import annotations

import numpy as np

from imgclf.datasets.base import ArrayPixels
from imgclf.datasets.pixels.rounded import rounded
from imgclf.datasets.stored.rows import ArrayRows, RowPixels

BYTES = np.random.default_rng(0).integers(0, 256, (2100, 3, 4, 1), np.uint8)


def test_fractions_are_rounded_to_the_bytes_that_they_were_made_from() -> None:
    pixels = RowPixels(ArrayRows((BYTES / 255).astype(np.float32), "here"), (3, 4, 1))
    order = np.random.default_rng(1).permutation(2100)
    assert np.array_equal(rounded(pixels).take(order), BYTES[order])
    assert (rounded(pixels).dtype, rounded(pixels).image_shape, len(rounded(pixels))) == (np.uint8, (3, 4, 1), 2100)


def test_bytes_stay_as_they_are() -> None:
    pixels = ArrayPixels(BYTES)
    assert rounded(pixels) is pixels


def test_values_past_the_ends_become_the_ends() -> None:
    pixels = ArrayPixels(np.array([-3.0, 254.6, 260.0], np.float32).reshape(3, 1, 1, 1))  # type: ignore[arg-type]
    assert rounded(pixels).take(np.arange(3)).ravel().tolist() == [0, 255, 255]
