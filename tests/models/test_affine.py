"""The affine sampler against scipy's interpolation, known turns and finite differences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from imgclf.models.affine import IDENTITY, Transform, affine_grid, matrices, sample_bilinear, sampler_class

NUMBERS = np.random.default_rng(0)
IMAGES = NUMBERS.random((4, 7, 10, 3))
TRANSFORMS: tuple[Transform, ...] = ("affine", "rotation", "translation_scale")


def numbers_of(transform: Transform, seed: int = 1, images: int = 4) -> NDArray[np.float64]:
    """Transforms near the identity, by which part of an image is seen from outside."""
    identity = np.array(IDENTITY[transform])
    return identity + np.random.default_rng(seed).normal(0, 0.4, (images, len(identity)))


def seen(images: NDArray[Any], numbers: NDArray[Any], transform: Transform, size: tuple[int, int]) -> NDArray[Any]:
    """The images through the transforms, by the functions that the layer is made of."""
    height, width = images.shape[1:3]
    grid = affine_grid(matrices(transform, _tensor(numbers), width / height), *size)
    found: NDArray[Any] = sample_bilinear(_tensor(images), grid).numpy()
    return found.reshape(len(images), *size, images.shape[3])


def by_scipy(images: NDArray[Any], matrix: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """The same by map_coordinates: ``matrix`` (batch, 2, 3) takes places of the result to places of the image."""
    height, width = images.shape[1:3]
    rows, columns = np.indices(size)
    x, y = (2 * columns + 1) / size[1] - 1, (2 * rows + 1) / size[0] - 1
    made = []
    for image, ((a, b, c), (d, e, f)) in zip(images, matrix, strict=True):
        from_x, from_y = a * x + b * y + c, d * x + e * y + f
        pixels = np.array([((from_y + 1) * height - 1) / 2, ((from_x + 1) * width - 1) / 2])
        channels = [
            ndimage.map_coordinates(image[..., channel], pixels, order=1, mode="grid-constant")
            for channel in range(image.shape[2])
        ]
        made.append(np.stack(channels, axis=-1))
    return np.array(made)


def _tensor(array: NDArray[Any]) -> Any:
    import tensorflow as tf

    return tf.constant(array)


@pytest.mark.parametrize("size", [(7, 10), (5, 16), (1, 1)])
def test_any_affine_transform_samples_as_scipy_does(size: tuple[int, int]) -> None:
    numbers = numbers_of("affine")
    expected = by_scipy(IMAGES, numbers.reshape(-1, 2, 3), size)
    np.testing.assert_allclose(seen(IMAGES, numbers, "affine", size), expected, atol=1e-12)
    assert size == (1, 1) or np.any(expected == 0)


def test_one_scale_and_a_shift_sample_as_scipy_does() -> None:
    numbers = numbers_of("translation_scale")
    matrix = np.array([[[scale, 0, x], [0, scale, y]] for scale, x, y in numbers])
    expected = by_scipy(IMAGES, matrix, (7, 10))
    np.testing.assert_allclose(seen(IMAGES, numbers, "translation_scale", (7, 10)), expected, atol=1e-12)


def test_an_angle_turns_an_image_that_is_not_square_as_scipy_does() -> None:
    angles = numbers_of("rotation")
    for image, angle, found in zip(IMAGES, angles[:, 0], seen(IMAGES, angles, "rotation", (7, 10)), strict=True):
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # of (row, column)
        centre = np.array([3.0, 4.5])
        for channel in range(3):
            expected = ndimage.affine_transform(
                image[..., channel], turn, centre - turn @ centre, order=1, mode="grid-constant"
            )
            np.testing.assert_allclose(found[..., channel], expected, atol=1e-12)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_identity_changes_nothing(transform: Transform) -> None:
    images = IMAGES.astype(np.float32)
    numbers = np.tile(np.array(IDENTITY[transform], np.float32), (4, 1))
    np.testing.assert_allclose(seen(images, numbers, transform, (7, 10)), images, atol=1e-5)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_are_counter_clockwise(quarters: int) -> None:
    images = NUMBERS.random((1, 9, 9, 2))
    found = seen(images, np.array([[quarters * np.pi / 2]]), "rotation", (9, 9))
    np.testing.assert_allclose(found[0], np.rot90(images[0], quarters), atol=1e-12)
    cosine, sine = round(np.cos(quarters * np.pi / 2)), round(np.sin(quarters * np.pi / 2))
    matrix = np.array([[cosine, -sine, 0, sine, cosine, 0]], np.float64)
    np.testing.assert_allclose(seen(images, matrix, "affine", (9, 9))[0], np.rot90(images[0], quarters), atol=1e-12)


def test_outside_of_the_image_is_black_and_its_border_fades_within_a_pixel() -> None:
    white = np.ones((1, 4, 4, 1))
    # A pixel is 2 / 4 wide: the view moves to the right by 3.5 pixels.
    found = seen(white, np.array([[1.0, 0, 3.5 / 2, 0, 1, 0]]), "affine", (4, 4))
    np.testing.assert_allclose(found[0, :, :, 0], np.tile([0.5, 0, 0, 0], (4, 1)), atol=1e-12)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_gradients_are_those_of_finite_differences(transform: Transform) -> None:
    import tensorflow as tf

    numbers, weights = numbers_of(transform, seed=2), np.random.default_rng(3).normal(size=(4, 7, 10, 3))

    def total(images: NDArray[Any], numbers: NDArray[Any]) -> float:
        return float((seen(images, numbers, transform, (7, 10)) * weights).sum())

    pixels, parameters = tf.Variable(IMAGES), tf.Variable(numbers)
    with tf.GradientTape() as tape:
        grid = affine_grid(matrices(transform, parameters, 10 / 7), 7, 10)
        loss = tf.reduce_sum(sample_bilinear(pixels, grid) * weights.reshape(4, 70, 3))
    of_pixels, of_numbers = (
        tf.convert_to_tensor(gradient).numpy() for gradient in tape.gradient(loss, [pixels, parameters])
    )
    for place in np.ndindex(numbers.shape):
        step = np.zeros_like(numbers)
        step[place] = 1e-7  # no place crosses a pixel's centre on its way, where the slope changes
        slope = (total(IMAGES, numbers + step) - total(IMAGES, numbers - step)) / 2e-7
        assert of_numbers[place] == pytest.approx(slope, rel=1e-4, abs=1e-4)
    for place in [(0, 0, 0, 0), (1, 3, 4, 1), (2, 6, 9, 2), (3, 2, 7, 0)]:
        step = np.zeros_like(IMAGES)
        step[place] = 1e-3
        slope = (total(IMAGES + step, numbers) - total(IMAGES - step, numbers)) / 2e-3
        assert of_pixels[place] == pytest.approx(slope, abs=1e-9)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e30])
def test_numbers_out_of_all_bounds_point_nowhere_out_of_memory(number: float) -> None:
    numbers = np.full((1, 6), number, np.float32)
    found = seen(np.ones((1, 4, 4, 1), np.float32), numbers, "affine", (4, 4))
    assert np.isnan(found).any() or np.all((found >= 0) & (found <= 1))
    if np.isnan(number):
        assert np.isnan(found).all()


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16"])
def test_the_layer_computes_in_float32_whatever_the_policy(policy: str) -> None:
    import keras

    images, numbers = IMAGES.astype(np.float32), numbers_of("affine").astype(np.float32)
    wanted = sampler_class()("affine")([images, numbers]).numpy()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        found = sampler_class()("affine")([images, numbers]).numpy()
    finally:
        keras.config.set_dtype_policy(before)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, wanted)


def test_the_layer_makes_images_of_its_size_and_says_so_before() -> None:
    import keras

    layer = sampler_class()("affine", (3, 5))
    output = layer([keras.Input((7, 10, 3)), keras.Input((6,))])
    assert output.shape == (None, 3, 5, 3)
    assert layer([IMAGES.astype(np.float32), numbers_of("affine").astype(np.float32)]).shape == (4, 3, 5, 3)


def test_a_saved_model_comes_back_with_its_sampler(tmp_path: Path) -> None:
    import keras

    image = keras.Input((7, 10, 3))
    numbers = keras.layers.Dense(
        3, bias_initializer=keras.initializers.Constant([0.5, 0.1, -0.2]), kernel_initializer="zeros"
    )(keras.layers.Flatten()(image))
    model = keras.Model(image, sampler_class()("translation_scale", (3, 5))([image, numbers]))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    images = IMAGES.astype(np.float32)
    np.testing.assert_array_equal(again.predict(images, verbose=0), model.predict(images, verbose=0))
    assert again.predict(images, verbose=0).std() > 0
