"""Pixels as the preprocessing asks for them: shape, type, and nothing done where nothing is to be done."""

from __future__ import annotations

import numpy as np
import pytest

from imgclf.datasets.base import ArrayPixels
from imgclf.datasets.pixels.shaped import shaped
from imgclf.images.fit import ImageFit


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_images_are_fitted_as_they_are_taken_and_keep_their_type(kind: type) -> None:
    images = np.random.default_rng(2).integers(0, 256, (5, 8, 12, 1)).astype(kind)
    pixels = shaped(ArrayPixels(images), ImageFit((4, 4), 3, "crop"))
    assert (pixels.image_shape, pixels.dtype, len(pixels)) == ((4, 4, 3), np.dtype(kind), 5)
    taken = pixels.take(np.array([3, 0]))
    means = images[[3, 0], :, 2:10].astype(float).reshape(2, 4, 2, 4, 2).mean(axis=(2, 4))
    assert taken.dtype == kind
    assert np.abs(taken - means[..., np.newaxis]).max() <= 0.51


def test_pixels_that_fit_are_left_alone() -> None:
    pixels = ArrayPixels(np.zeros((2, 8, 8, 1), np.uint8))
    assert shaped(pixels, ImageFit(None, None, "pad")) is pixels
    assert shaped(pixels, ImageFit((8, 8), 1)) is pixels
