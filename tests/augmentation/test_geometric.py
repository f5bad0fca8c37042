"""Everything that moves pixels, against scipy's affine transform, Keras' transforms and numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.ndimage

from imgclf.augmentation.alternating_flip import AlternatingFlip
from imgclf.augmentation.base import AugmentationSettings, Draws, augment, augmented_images
from imgclf.augmentation.flip import Flip
from imgclf.augmentation.random_crop import RandomCrop
from imgclf.augmentation.rotate import Rotate
from imgclf.augmentation.scale_jitter import ScaleJitter
from imgclf.augmentation.shear import Shear
from imgclf.augmentation.shift import Shift
from imgclf.augmentation.zoom import Zoom

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
    return np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def shear_matrix(number: np.ndarray) -> np.ndarray:
    angle = np.deg2rad((2 * number[0] - 1) * 40)
    return np.array([[np.cos(angle), 0, 0], [-np.sin(angle), 1, 0], [0, 0, 1]])


def zoom_matrix(number: np.ndarray) -> np.ndarray:
    return np.diag([0.7 + 0.6 * number[0], 0.7 + 0.6 * number[1], 1])


def equal_zoom_matrix(number: np.ndarray) -> np.ndarray:
    return np.diag([0.5 + number[0], 0.5 + number[0], 1])


def scale_matrix(number: np.ndarray) -> np.ndarray:
    """The top left corner of the window lies in the resized image, or that in the window, at a share of the rest."""
    scale = 0.8 + 0.7 * number[0]
    size = np.array([HEIGHT, WIDTH])
    corner = number[1:] * (scale - 1) * size  # in pixels of the resized image, from edge to edge
    centre = (corner + size / 2) / scale - size / 2
    return np.array([[1 / scale, 0, centre[0]], [0, 1 / scale, centre[1]], [0, 0, 1]])


def crop_matrix(number: np.ndarray) -> np.ndarray:
    down, across = np.floor(7 * number) - 3
    return np.array([[1, 0, down], [0, 1, across], [0, 0, 1]])


CASES: dict[str, tuple[Callable[..., Any], dict[str, Any], Matrix]] = {
    "shift": (Shift, {"fraction": (0.2, 0.4)}, shift_matrix),
    "rotate": (Rotate, {"degrees": 60.0}, rotation_matrix),
    "shear": (Shear, {"degrees": 40.0}, shear_matrix),
    "zoom": (Zoom, {"range": 0.3, "axes": "separately"}, zoom_matrix),
    "zoom together": (Zoom, {"range": (0.5, 1.5)}, equal_zoom_matrix),
    "scale_jitter": (ScaleJitter, {"scales": (0.8, 1.5)}, scale_matrix),
    "random_crop": (RandomCrop, {"padding": 3}, crop_matrix),
}


def made(name: str, mode: str) -> tuple[AugmentationSettings, Matrix]:
    make, settings, matrix = CASES[name]
    return make(name=name.split()[0], fill_mode=mode, fill_value=FILLED, **settings), matrix


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
    augmentations, matrices = zip(*(made(name, mode) for name in ("shift", "rotate", "shear", "zoom")), strict=True)
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
    assert np.array_equal(result[0], np.rot90(square[0], -1))
    assert np.array_equal(result[1], np.rot90(square[1]))


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


@pytest.mark.filterwarnings("ignore:Please import:DeprecationWarning")  # Keras' own
def test_a_list_of_them_is_what_keras_makes_of_the_same_numbers() -> None:
    import tensorflow as tf

    square = IMAGES[:, :, :20].astype(np.float32)
    augmentations = (
        Rotate(name="rotate", degrees=40.0),
        Shift(name="shift", fraction=0.2),
        Shear(name="shear", degrees=20.0),
        Zoom(name="zoom", range=0.3, axes="separately"),
        Flip(name="flip"),
    )
    numbers = np.random.default_rng(5).random((5, 8), np.float32)
    result = augmented(augmentations, square, numbers)
    generator = tf.keras.preprocessing.image.ImageDataGenerator(fill_mode="nearest")
    # Keras draws uniformly from plus and minus the same limits; its x runs to the right, its y down.
    rotation, down, right, slant, zoomed_down, zoomed_right = (2 * numbers[:, :6].T.astype(np.float64) - 1).tolist()
    for i in range(5):
        transform = {
            "theta": 40 * rotation[i], "tx": 4 * right[i], "ty": 4 * down[i], "shear": 20 * slant[i],
            "zx": 1 + 0.3 * zoomed_right[i], "zy": 1 + 0.3 * zoomed_down[i], "flip_horizontal": numbers[i, 6] < 0.5,
        }  # fmt: skip
        np.testing.assert_allclose(result[i], generator.apply_transform(square[i], transform), atol=0.02)


@pytest.mark.parametrize("value", [0.0, 77.0])
def test_a_random_crop_is_cut_out_of_the_padded_image(value: float) -> None:
    numbers = np.random.default_rng(6).random((5, 2), np.float32)
    result = augmented((RandomCrop(name="random_crop", padding=2, fill_value=value),), IMAGES, numbers)
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=int(value))
    for i, (top, left) in enumerate(np.floor(numbers.astype(np.float64) * 5).astype(int)):
        assert np.array_equal(result[i], padded[i, top : top + HEIGHT, left : left + WIDTH])


def test_a_random_crop_takes_in_the_mirrored_edge_as_numpy_pads_it() -> None:
    numbers = np.array([[0, 0], [0.99, 0.99], [0.5, 0.5], [0, 0.99], [0.99, 0]])
    result = augmented((RandomCrop(name="random_crop", padding=2, fill_mode="reflect"),), IMAGES, numbers)
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="symmetric")
    for i, (top, left) in enumerate([(0, 0), (4, 4), (2, 2), (0, 4), (4, 0)]):
        assert np.array_equal(result[i], padded[i, top : top + HEIGHT, left : left + WIDTH])


def test_alternating_flips_show_a_random_half_mirrored_then_the_other_half() -> None:
    flips = (AlternatingFlip(name="alternating_flip"),)
    indices = np.array([7, 0, 3, 999, 500])
    seen = [augmented_images(flips, IMAGES, indices, seed=1, epoch=epoch) for epoch in range(4)]
    for i, image in enumerate(IMAGES):
        first = np.array_equal(seen[0][i], image[:, ::-1])
        for epoch in range(4):
            wanted = image[:, ::-1] if first == (epoch % 2 == 0) else image
            assert np.array_equal(seen[epoch][i], wanted)
    flipped = Draws(flips, 1000, seed=1).take(0, np.arange(1000))
    assert 440 < flipped.sum() < 560  # 500 expected, standard deviation 16
    assert np.array_equal(Draws(flips, 1000, seed=1).take(1, np.arange(1000)), 1 - flipped)


def test_numbers_that_stay_leave_the_others_to_change_with_the_epoch() -> None:
    both = (Rotate(name="rotate"), AlternatingFlip(name="alternating_flip"), Rotate(name="rotate"))
    plain = (Rotate(name="rotate"),) * 3
    for epoch in (0, 5):
        drawn, usual = (Draws(one, 50, seed=2).take(epoch, np.arange(50)) for one in (both, plain))
        assert np.array_equal(drawn[:, [0, 2]], usual[:, [0, 2]])
