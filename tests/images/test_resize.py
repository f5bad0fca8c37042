"""Resizing: shapes, averaging by area, and luminance as Pillow has it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from imgclf.errors import ImgclfError
from imgclf.images.resize import resize, to_channels


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(5, 7), (40, 60), (5, 60), (40, 7), (20, 30)])
def test_resize_gives_the_size_asked_for_and_keeps_the_channel_axis(size: tuple[int, int], channels: int) -> None:
    resized = resize(_noise(20, 30, channels), *size)
    assert resized.shape == (*size, channels)
    assert resized.dtype == np.uint8


def test_shrinking_averages_whole_blocks() -> None:
    image = _noise(12, 20, 3)
    means = image.reshape(3, 4, 5, 4, 3).mean(axis=(1, 3))
    assert np.abs(resize(image, 3, 5) - means).max() <= 0.5


def test_one_side_shrinks_by_area_though_the_other_grows() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8)[:, np.newaxis, np.newaxis], (30, 4, 1))
    resized = resize(stripes, 6, 8)
    assert np.all(np.abs(resized.astype(int) - 127.5) <= 1)


def test_growing_is_linear_as_pillow_has_it() -> None:
    image = _noise(6, 9, 1)
    expected = np.asarray(Image.fromarray(image[..., 0]).resize((27, 24), Image.Resampling.BILINEAR))
    assert np.abs(resize(image, 24, 27)[..., 0].astype(int) - expected).max() <= 1


def test_an_image_of_the_size_asked_for_is_unchanged() -> None:
    image = _noise(28, 28, 1)
    assert np.array_equal(resize(image, 28, 28), image)


def test_rgb_becomes_the_luminance_of_pillow() -> None:
    image = _noise(50, 60, 3)
    grey = to_channels(image, 1)
    assert grey.shape == (50, 60, 1)
    assert np.abs(grey[..., 0].astype(int) - np.asarray(Image.fromarray(image).convert("L"))).max() <= 1


def test_grey_keeps_its_value_in_three_channels_and_back() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    rgb = to_channels(levels, 3)
    assert rgb.shape == (16, 16, 3)
    assert np.array_equal(rgb, np.broadcast_to(levels, rgb.shape))
    assert np.array_equal(to_channels(rgb, 1), levels)


def test_other_channel_counts_are_refused() -> None:
    with pytest.raises(ImgclfError, match="must be 1 or 3"):
        to_channels(_noise(4, 4, 4), 3)
    with pytest.raises(ImgclfError, match="must be 1 or 3"):
        to_channels(_noise(4, 4, 3), 2)
