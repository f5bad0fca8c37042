from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from imgclf.datasets.base import ArrayPixels
from imgclf.errors import ImgclfError
from imgclf.preprocessing import Preprocessing, PreprocessingSettings
from imgclf.preprocessing.fit import fit

SCALES = {"unit": (1 / 255, 0), "symmetric": (2 / 255, -1), "none": (1, 0)}
BOTH_AND_EACH = [(True, True), (True, False), (False, True)]


def fitted(images: np.ndarray, **settings: Any) -> Preprocessing:
    shape = images.shape[1:]
    return fit(PreprocessingSettings(**settings), ArrayPixels(images), (shape[0], shape[1], shape[2])).preprocessing


@pytest.mark.parametrize("scaling", ["unit", "symmetric", "none"])
@pytest.mark.parametrize(("center", "scale"), BOTH_AND_EACH)
def test_featurewise_is_that_of_the_training_images_by_channel(
    images: np.ndarray, scaling: str, center: bool, scale: bool
) -> None:
    part = {"name": "featurewise", "center": center, "scale": scale}
    preprocessing = fitted(images[:300], scaling=scaling, normalization=part)
    factor, offset = SCALES[scaling]
    train, other = (half.astype(np.float64) * factor + offset for half in (images[:300], images[300:]))
    wanted = other - train.mean(axis=(0, 1, 2)) if center else other
    wanted = wanted / (train.std(axis=(0, 1, 2)) + 1e-6) if scale else wanted
    result = preprocessing.apply(images[300:]).numpy()
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(("center", "scale"), BOTH_AND_EACH)
def test_samplewise_is_that_of_each_image_and_fits_nothing(
    images: np.ndarray, per_channel: bool, center: bool, scale: bool
) -> None:
    part = {"name": "samplewise", "center": center, "scale": scale, "per_channel": per_channel}
    preprocessing = fitted(images[:2], normalization=part)
    assert preprocessing.fitted == {}
    pixels, axes = images[300:] / 255, (1, 2) if per_channel else (1, 2, 3)
    wanted = pixels - pixels.mean(axes, keepdims=True) if center else pixels
    wanted = wanted / (pixels.std(axes, keepdims=True) + 1e-6) if scale else wanted
    result = preprocessing.apply(images[300:]).numpy()
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["featurewise", "samplewise"])
@pytest.mark.parametrize("scale", [True, False])
def test_the_result_is_that_of_keras_2(images: np.ndarray, name: str, scale: bool) -> None:
    import tensorflow as tf

    keys = {f"{name}_center": True, f"{name}_std_normalization": scale}
    generator = tf.keras.preprocessing.image.ImageDataGenerator(**keys)
    generator.fit(images[:300] / 255)
    wanted = np.stack([generator.standardize(image / 255) for image in images[300:]])
    part = {"name": name, "scale": scale}
    result = fitted(images[:300], normalization=part).apply(images[300:]).numpy()
    np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-4)


def test_a_white_image_is_no_danger_where_it_is_centred(images: np.ndarray) -> None:
    white = np.full_like(images[:1], 255)
    result = fitted(images, normalization={"name": "samplewise"}).apply(white).numpy()
    np.testing.assert_allclose(result, 0, atol=0.2)


def test_a_channel_that_never_changes_is_named(images: np.ndarray) -> None:
    dull = images.copy()
    dull[..., 1] = 77
    with pytest.raises(ImgclfError, match="channel 2 of 3 is the same everywhere"):
        fitted(dull, normalization={"name": "featurewise"})
    centred = fitted(dull, normalization={"name": "featurewise", "scale": False}).apply(dull).numpy()
    np.testing.assert_allclose(centred[..., 1], 0, atol=1e-6)


@pytest.mark.parametrize("name", ["featurewise", "samplewise"])
def test_a_normalization_that_does_nothing_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="center or scale must be true"):
        PreprocessingSettings(normalization={"name": name, "center": False, "scale": False})
