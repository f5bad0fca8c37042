from __future__ import annotations

import numpy as np
import pytest

from imgclf.augmentation.base import Draws, augment
from imgclf.augmentation.flip import Flip
from imgclf.augmentation.shift import Shift

IMAGES = np.random.default_rng(0).integers(1, 256, (6, 5, 7, 3), np.uint8)


def shifted(images: np.ndarray, numbers: np.ndarray, pixels: int) -> np.ndarray:
    import tensorflow as tf

    return Shift(name="shift", pixels=pixels).apply(tf.constant(images), tf.constant(numbers, tf.float32)).numpy()


def moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """An image moved by whole pixels, by numpy: rolled on a black ground that is wide enough, then cut out again."""
    height, width, _ = image.shape
    ground = np.pad(image, ((height, height), (width, width), (0, 0)))
    return np.roll(ground, (down, right), axis=(0, 1))[height : 2 * height, width : 2 * width]


@pytest.mark.parametrize("pixels", [1, 2, 6])  # six is more than the height
def test_an_image_is_moved_by_whole_pixels_and_black_comes_in(pixels: int) -> None:
    numbers = np.random.default_rng(pixels).random((6, 2), np.float32)
    result = shifted(IMAGES, numbers, pixels)
    places = pixels - np.floor(numbers.astype(np.float64) * (2 * pixels + 1)).astype(int)
    wanted = np.stack([moved(image, *place) for image, place in zip(IMAGES, places, strict=True)])
    assert np.array_equal(result, wanted)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_shape_and_type_stay(kind: type) -> None:
    result = shifted(IMAGES.astype(kind), np.full((6, 2), 0.9, np.float32), 2)
    assert result.shape == IMAGES.shape
    assert result.dtype == kind


def test_every_whole_shift_up_to_the_limit_is_equally_likely() -> None:
    dot = np.zeros((5000, 7, 7, 1), np.uint8)
    dot[:, 3, 3] = 255
    result = shifted(dot, np.random.default_rng(1).random((5000, 2), np.float32), 2)
    rows, columns = np.unravel_index(result.reshape(5000, -1).argmax(axis=1), (7, 7))
    counts = np.zeros((7, 7), int)
    np.add.at(counts, (rows, columns), 1)
    assert np.array_equal(counts > 0, np.pad(np.ones((5, 5), bool), 1))
    assert counts[counts > 0].min() > 140  # 200 expected, standard deviation 14
    assert counts.max() < 260


def test_the_ends_of_the_range_of_numbers_are_the_largest_shifts() -> None:
    lowest, highest = np.float32(0), np.nextafter(np.float32(1), np.float32(0))
    numbers = np.array([[lowest, lowest], [highest, highest]])
    result = shifted(IMAGES[:2], numbers, 2)
    assert np.array_equal(result[0], moved(IMAGES[0], 2, 2))
    assert np.array_equal(result[1], moved(IMAGES[1], -2, -2))


def test_the_draws_are_a_function_of_seed_epoch_and_image_alone() -> None:
    shift = (Shift(name="shift"),)
    everything = Draws(shift, 100, seed=4).take(3, np.arange(100))
    assert everything.shape == (100, 2)
    assert everything.dtype == np.float32
    some, wandering = np.array([70, 3, 3, 99]), Draws(shift, 100, seed=4)
    for epoch in (0, 9, 3):
        taken = wandering.take(epoch, some)
    assert np.array_equal(taken, everything[some])


def test_other_seeds_epochs_and_images_draw_other_numbers() -> None:
    shift = (Shift(name="shift"),)
    drawn = [Draws(shift, 100, seed).take(epoch, np.arange(100)) for seed in (4, 5) for epoch in (3, 4)]
    assert len(np.unique(np.concatenate(drawn))) > 790  # of 800


def test_each_augmentation_of_a_list_uses_its_own_numbers_in_order() -> None:
    import tensorflow as tf

    both = (Flip(name="flip", vertical=True), Shift(name="shift", pixels=2))
    numbers = np.random.default_rng(2).random((6, 4), np.float32)
    assert Draws(both, 6, seed=0).width == 4
    result = augment(both, tf.constant(IMAGES), tf.constant(numbers)).numpy()
    across, down = np.where(numbers.T[:2] < 0.5, -1, 1)
    flipped = np.stack([image[::y, ::x] for image, x, y in zip(IMAGES, across, down, strict=True)])
    assert np.array_equal(result, shifted(flipped, numbers[:, 2:], 2))


def test_no_augmentation_leaves_the_images_alone() -> None:
    import tensorflow as tf

    images = tf.constant(IMAGES)
    assert Draws((), 6, seed=0).take(0, np.arange(4)).shape == (4, 0)
    assert augment((), images, tf.zeros((6, 0))) is images
