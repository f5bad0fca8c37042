"""Everything that moves pixels, against scipy's affine transform with matrices in Keras' convention: (row, column)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.ndimage

from imgclf.augmentation.base import AugmentationSettings, augment
from imgclf.augmentation.flip import Flip
from imgclf.augmentation.rotate import Rotate
from imgclf.augmentation.shift import Shift

HEIGHT, WIDTH = 20, 31
IMAGES = np.random.default_rng(0).integers(0, 256, (5, HEIGHT, WIDTH, 3), np.uint8)
# TensorFlow's fill modes by the name that scipy gives them.
SCIPY_MODES = {"nearest": "nearest", "constant": "grid-constant", "reflect": "reflect", "wrap": "grid-wrap"}
FILLED = 9.0

Matrix = Callable[[np.ndarray], np.ndarray]  # of an image's numbers: where the result is read, (row, column, 1)


def augmented(augmentations: tuple[AugmentationSettings, ...], images: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    result: np.ndarray = augment(augmentations, tf.constant(images), tf.constant(numbers, tf.float32)).numpy()
    return result


def by_scipy(images: np.ndarray, matrices: list[np.ndarray], mode: str) -> np.ndarray:
    """Bilinear resampling in double precision, about the images' centre."""
    centre = np.array([[1, 0, (images.shape[1] - 1) / 2], [0, 1, (images.shape[2] - 1) / 2], [0, 0, 1]])
    result = np.empty(images.shape)
    for i, matrix in enumerate(matrices):
        whole = centre @ matrix @ np.linalg.inv(centre)
        for c in range(images.shape[3]):
            channel = images[i, :, :, c].astype(np.float64)
            result[i, :, :, c] = scipy.ndimage.affine_transform(
                channel, whole[:2, :2], whole[:2, 2], order=1, mode=SCIPY_MODES[mode], cval=FILLED
            )
    return result


def shift_matrix(number: np.ndarray) -> np.ndarray:
    down, across = (2 * number - 1) * [0.2 * HEIGHT, 0.4 * WIDTH]
    return np.array([[1, 0, down], [0, 1, across], [0, 0, 1]])


def rotation_matrix(number: np.ndarray) -> np.ndarray:
    angle = np.deg2rad((2 * number[0] - 1) * 60)
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


CASES: dict[str, tuple[Callable[..., Any], dict[str, Any], Matrix]] = {
    "shift": (Shift, {"fraction": (0.2, 0.4)}, shift_matrix),
    "rotate": (Rotate, {"degrees": 60.0}, rotation_matrix),
}


def made(name: str, mode: str) -> tuple[AugmentationSettings, Matrix]:
    make, settings, matrix = CASES[name]
    return make(name=name, fill_mode=mode, fill_value=FILLED, **settings), matrix


@pytest.mark.parametrize("mode", SCIPY_MODES)
@pytest.mark.parametrize("name", CASES)
def test_each_is_scipys_affine_transform(name: str, mode: str) -> None:
    augmentation, matrix = made(name, mode)
    numbers = np.random.default_rng(1).random((5, augmentation.numbers), np.float32)
    result = augmented((augmentation,), IMAGES.astype(np.float32), numbers)
    wanted = by_scipy(IMAGES, [matrix(number.astype(np.float64)) for number in numbers], mode)
    np.testing.assert_allclose(result, wanted, atol=0.01)


@pytest.mark.parametrize("mode", SCIPY_MODES)
def test_neighbours_are_one_resampling_by_the_product_of_their_matrices(mode: str) -> None:
    augmentations, matrices = zip(*(made(name, mode) for name in CASES), strict=True)
    flips = Flip(name="flip", vertical=True)
    rng = np.random.default_rng(2)
    numbers = [rng.random((5, one.numbers), np.float32) for one in (*augmentations, flips)]
    result = augmented((*augmentations, flips), IMAGES.astype(np.float32), np.concatenate(numbers, axis=1))
    wanted = []
    for i in range(5):
        across, down = np.where(numbers[-1][i] < 0.5, -1, 1)
        product = np.eye(3)
        for matrix, number in zip(matrices, numbers, strict=False):
            product = product @ matrix(number[i].astype(np.float64))
        wanted.append(product @ np.diag([down, across, 1]))
    np.testing.assert_allclose(result, by_scipy(IMAGES, wanted, mode), atol=0.02)


def test_other_ways_of_filling_are_resampled_one_after_the_other() -> None:
    both = made("shift", "reflect")[0], made("rotate", "constant")[0]
    numbers = np.random.default_rng(3).random((5, 3), np.float32)
    result = augmented(both, IMAGES, numbers)
    wanted = augmented(both[1:], augmented(both[:1], IMAGES, numbers[:, :2]), numbers[:, 2:])
    assert np.array_equal(result, wanted)


def test_a_quarter_turn_takes_pixels_to_pixels() -> None:
    square = IMAGES[:2, :, :20]
    result = augmented((Rotate(name="rotate", degrees=90.0),), square, np.array([[0], [1]]))
    assert np.array_equal(result[0], np.rot90(square[0]))
    assert np.array_equal(result[1], np.rot90(square[1], -1))


@pytest.mark.parametrize("name", CASES)
def test_uint8_is_the_rounded_result(name: str) -> None:
    augmentation, _ = made(name, "nearest")
    numbers = np.random.default_rng(4).random((5, augmentation.numbers), np.float32)
    result = augmented((augmentation,), IMAGES, numbers)
    assert result.dtype == np.uint8
    assert np.array_equal(result, augmented((augmentation,), IMAGES.astype(np.float32), numbers).round())


def test_flips_are_those_of_numpy() -> None:
    numbers = np.array([[0.1, 0.1], [0.1, 0.9], [0.9, 0.1], [0.9, 0.9], [0.3, 0.2999]])
    result = augmented((Flip(name="flip", vertical=True, probability=0.3),), IMAGES, numbers)
    wanted = [IMAGES[0, ::-1, ::-1], IMAGES[1, :, ::-1], IMAGES[2, ::-1], IMAGES[3], IMAGES[4, ::-1]]
    assert np.array_equal(result, wanted)
