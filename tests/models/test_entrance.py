from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from imgclf.models.entrance import PixelRange, enlarged, entrance, entrance_notes, entrance_problem
from imgclf.training.precision import computing_in

BYTES = np.random.default_rng(0).integers(0, 256, (2, 40, 50, 3)).astype(np.float32)


def through(images: np.ndarray, pixel_range: PixelRange, least_side: int = 32) -> Any:
    import keras

    image = keras.layers.Input(images.shape[1:], name="image")
    return keras.Model(image, entrance(image, pixel_range, least_side))(images)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_pixels_are_those_of_keras_preprocess_input(mode: Any) -> None:
    from keras.applications.imagenet_utils import preprocess_input

    np.testing.assert_allclose(through(BYTES / 255, mode), preprocess_input(BYTES.copy(), mode=mode), atol=1e-4)


def test_networks_that_rescale_by_themselves_get_bytes() -> None:
    np.testing.assert_allclose(through(BYTES / 255, "bytes"), BYTES, atol=1e-4)
    np.testing.assert_allclose(through(BYTES / 255, "bytes/128 - 1"), BYTES / 128 - 1, atol=1e-6)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_neighbouring_pixel_values_stay_apart_in_every_precision(precision: Any) -> None:
    every = np.repeat(np.linspace(0, 1, 1024, dtype=np.float32).reshape(1, 32, 32, 1), 3, axis=3)
    with computing_in(precision):
        seen = np.asarray(through(every, "torch"))
    assert seen.dtype == np.float32
    assert len(np.unique(seen[..., 0])) == 1024


def test_grey_images_get_their_channel_three_times() -> None:
    grey = BYTES[..., :1] / 255
    np.testing.assert_array_equal(through(grey, "tf"), through(np.repeat(grey, 3, axis=3), "tf"))


def test_small_images_are_enlarged_bilinearly_in_their_proportions() -> None:
    small = BYTES[:, :16, :20] / 255
    wanted = [cv2.resize(image, (40, 32), interpolation=cv2.INTER_LINEAR) for image in small]
    np.testing.assert_allclose(through(small, "bytes"), np.stack(wanted) * 255, atol=0.01)
    assert enlarged((32, 400, 3), 32) == (32, 400)
    assert enlarged((8, 100, 3), 32) == (32, 400)


def test_what_it_does_is_told() -> None:
    assert entrance_notes((40, 40, 3), "tf", 32) == ("brings pixels from 0 to 1 to its own range: -1 to 1",)
    assert entrance_notes((28, 28, 1), "tf", 32)[:2] == (
        "enlarges images from 28x28 to 32x32",
        "repeats the grey channel three times",
    )


def test_only_grey_and_colour_images_are_taken() -> None:
    assert entrance_problem((8, 8, 1)) is entrance_problem((8, 8, 3)) is None
    assert "1 or 3 channels); found 4" in str(entrance_problem((8, 8, 4)))
