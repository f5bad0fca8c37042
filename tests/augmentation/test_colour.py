"""What changes the values of pixels in their places, against Keras, TensorFlow and numpy."""

from __future__ import annotations

import numpy as np
import pytest

from imgclf.augmentation.base import AugmentationSettings, augment
from imgclf.augmentation.brightness import Brightness
from imgclf.augmentation.channel_shift import ChannelShift
from imgclf.augmentation.contrast import Contrast
from imgclf.augmentation.cutout import Cutout
from imgclf.errors import ImgclfError

IMAGES = np.random.default_rng(0).integers(20, 230, (6, 9, 14, 3), np.uint8)


def augmented(augmentation: AugmentationSettings, images: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    result: np.ndarray = augment((augmentation,), tf.constant(images), tf.constant(numbers, tf.float32)).numpy()
    return result


def draw(augmentation: AugmentationSettings) -> np.ndarray:
    return np.random.default_rng(1).random((6, augmentation.numbers), np.float32)


def test_brightness_multiplies_every_pixel_by_a_factor() -> None:
    brightness = Brightness(name="brightness", range=(0.5, 1.8))
    numbers = draw(brightness)
    wanted = np.minimum(IMAGES * (0.5 + 1.3 * numbers[:, :, None, None].astype(np.float64)), 255)
    result = augmented(brightness, IMAGES.astype(np.float32), numbers)
    np.testing.assert_allclose(result, wanted, rtol=1e-5)
    assert result.max() == 255


def test_contrast_is_that_of_tensorflow() -> None:
    import tensorflow as tf

    contrast = Contrast(name="contrast", range=0.6)
    numbers = draw(contrast)
    result = augmented(contrast, IMAGES.astype(np.float32), numbers)
    for i, number in enumerate(numbers[:, 0]):
        theirs = tf.image.adjust_contrast(IMAGES[i].astype(np.float32), 0.4 + 1.2 * float(number)).numpy()
        np.testing.assert_allclose(result[i], np.clip(theirs, 0, 255), atol=1e-3)
    assert result.min() == 0
    assert result.max() == 255


def test_a_shift_of_all_channels_together_is_that_of_keras() -> None:
    import tensorflow as tf

    shift = ChannelShift(name="channel_shift", amount=60.0, channels="together")
    numbers = draw(shift)
    result = augmented(shift, IMAGES.astype(np.float32), numbers)
    generator = tf.keras.preprocessing.image.ImageDataGenerator()
    for i, number in enumerate(numbers[:, 0]):
        transform = {"channel_shift_intensity": 60 * (2 * float(number) - 1)}
        theirs = generator.apply_transform(IMAGES[i].astype(np.float32), transform)
        np.testing.assert_allclose(result[i], theirs, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_each_channel_is_shifted_by_a_number_of_its_own(channels: int) -> None:
    shift, images = ChannelShift(name="channel_shift", amount=60.0), IMAGES[..., :channels].astype(np.float64)
    numbers = draw(shift)
    added = 60 * (2 * numbers[:, None, None, :channels].astype(np.float64) - 1)
    axes = (1, 2, 3)
    wanted = np.clip(images + added, images.min(axis=axes, keepdims=True), images.max(axis=axes, keepdims=True))
    np.testing.assert_allclose(augmented(shift, images.astype(np.float32), numbers), wanted, atol=1e-3)


def test_more_channels_than_numbers_are_refused_with_the_way_out() -> None:
    shift = ChannelShift(name="channel_shift")
    with pytest.raises(ImgclfError, match="up to 4 channels; these have 5") as refused:
        augmented(shift, np.zeros((1, 4, 4, 5), np.uint8), np.zeros((1, 4)))
    assert "together" in str(refused.value.hint)


@pytest.mark.parametrize(("fraction", "side"), [(0.5, 4), (0.05, 1), (1.0, 9)])  # of nine pixels
def test_cutout_paints_a_square_about_its_centre(fraction: float, side: int) -> None:
    cutout = Cutout(name="cutout", fraction=fraction, fill_value=7.0)
    numbers = draw(cutout)
    wanted = IMAGES.copy()
    for i, (row, column) in enumerate(np.floor(numbers.astype(np.float64) * [9, 14]).astype(int)):
        top, left = row - side // 2, column - side // 2
        wanted[i, max(top, 0) : top + side, max(left, 0) : left + side] = 7
    assert np.array_equal(augmented(cutout, IMAGES, numbers), wanted)


def test_every_pixel_is_cut_out_at_some_time() -> None:
    numbers = np.random.default_rng(2).random((2000, 2), np.float32)
    result = augmented(Cutout(name="cutout", fraction=0.1), np.ones((2000, 9, 14, 1), np.uint8), numbers)
    holes = 2000 - result.sum(axis=0)
    assert holes.min() >= 3  # one pixel of 126 each time: 16 expected, standard deviation 4
    assert holes.max() <= 33


COLOURS = [
    Brightness(name="brightness", range=(0.5, 1.8)),
    Contrast(name="contrast", range=0.9),
    ChannelShift(name="channel_shift", amount=255.0),
    Cutout(name="cutout"),
]


@pytest.mark.parametrize("augmentation", COLOURS, ids=lambda one: one.name)
def test_uint8_is_the_rounded_result(augmentation: AugmentationSettings) -> None:
    numbers = draw(augmentation)
    result = augmented(augmentation, IMAGES, numbers)
    as_floats = augmented(augmentation, IMAGES.astype(np.float32), numbers)
    assert result.dtype == np.uint8
    assert as_floats.dtype == np.float32
    assert np.array_equal(result, as_floats.round())
