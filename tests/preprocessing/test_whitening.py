from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from imgclf.datasets.base import ArrayPixels
from imgclf.errors import ImgclfError
from imgclf.preprocessing import Preprocessing, PreprocessingSettings
from imgclf.preprocessing.fit import fit
from imgclf.preprocessing.whitening import Zca

SMALL = 1e-9  # an epsilon that leaves the variances of the images below as they are


def fitted(images: np.ndarray, **settings: Any) -> Preprocessing:
    shape = images.shape[1:]
    return fit(PreprocessingSettings(**settings), ArrayPixels(images), (shape[0], shape[1], shape[2])).preprocessing


def rows(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), -1).astype(np.float64)


@pytest.mark.parametrize("name", ["zca", "pca"])
@pytest.mark.parametrize("scaling", ["unit", "none"])
def test_whitened_training_images_are_uncorrelated_with_variance_1(images: np.ndarray, name: str, scaling: str) -> None:
    preprocessing = fitted(images, scaling=scaling, whitening={"name": name, "epsilon": SMALL})
    white = preprocessing.apply(images).numpy()
    assert white.shape == images.shape
    assert white.dtype == np.float32
    np.testing.assert_allclose(rows(white).mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(rows(white), rowvar=False), np.eye(90), atol=2e-3)


def test_pca_is_that_of_scikit_learn(images: np.ndarray) -> None:
    preprocessing = fitted(images[:300], whitening={"name": "pca", "epsilon": SMALL})
    model = PCA(whiten=True, svd_solver="full").fit(rows(images[:300]) / 255)
    wanted = model.transform(rows(images[300:]) / 255)
    result = rows(preprocessing.apply(images[300:]).numpy())
    signs = np.sign((wanted * result).sum(axis=0))  # a component's sign is arbitrary
    np.testing.assert_allclose(result, wanted * signs, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("epsilon", [1e-6, 1e-3, 0.1])
def test_zca_is_the_inverse_root_of_the_covariance(images: np.ndarray, epsilon: float) -> None:
    from scipy.linalg import sqrtm

    preprocessing = fitted(images[:300], whitening={"name": "zca", "epsilon": epsilon})
    train, other = rows(images[:300]) / 255, rows(images[300:]) / 255
    matrix = np.linalg.inv(sqrtm(np.cov(train, rowvar=False) + epsilon * np.eye(90)))
    wanted = (other - train.mean(axis=0)) @ matrix
    np.testing.assert_allclose(rows(preprocessing.apply(images[300:]).numpy()), wanted, rtol=1e-3, atol=1e-3)


def test_zca_of_centred_images_is_that_of_keras_2(images: np.ndarray) -> None:
    import tensorflow as tf

    # Keras subtracts a channel's mean and divides by the number of images; with each pixel's own mean gone before, and
    # a factor for the other divisor, both are the same. (Keras adds epsilon elsewhere: here it is next to nothing.)
    centred = images[:300] / 255 - (images[:300] / 255).mean(axis=0)
    generator = tf.keras.preprocessing.image.ImageDataGenerator(
        featurewise_center=True, zca_whitening=True, zca_epsilon=SMALL
    )
    generator.fit(centred)
    wanted = np.stack([generator.standardize(image.copy()) for image in centred]) * np.sqrt(299 / 300)
    result = fitted(images[:300], whitening={"name": "zca", "epsilon": SMALL}).apply(images[:300]).numpy()
    np.testing.assert_allclose(result, wanted, rtol=1e-3, atol=1e-3)


def test_a_pixel_that_never_changes_stays_finite(images: np.ndarray) -> None:
    dull = images.copy()
    dull[:, 0, 0] = 0
    for name in ("zca", "pca"):
        white = fitted(dull, whitening={"name": name}).apply(dull).numpy()
        assert np.isfinite(white).all()
        assert np.abs(white).max() < 20


def test_it_is_fitted_on_what_the_normalization_leaves(images: np.ndarray) -> None:
    part = {"name": "samplewise"}
    both = fitted(images, normalization=part, whitening={"name": "pca", "epsilon": 0.1}).apply(images).numpy()
    pixels = images / 255
    pixels = (pixels - pixels.mean((1, 2, 3), keepdims=True)) / (pixels.std((1, 2, 3), keepdims=True) + 1e-6)
    variances = np.linalg.eigvalsh(np.cov(rows(pixels), rowvar=False))[::-1]
    np.testing.assert_allclose(rows(both).var(axis=0, ddof=1), variances / (variances + 0.1), rtol=1e-3, atol=1e-4)


def test_one_image_is_too_few(images: np.ndarray) -> None:
    with pytest.raises(ImgclfError, match="must be fitted on 2 training images or more; there is 1"):
        fitted(images[:1], whitening={"name": "zca"})


def test_the_limit_lets_small_colour_images_through_and_names_the_memory_of_larger_ones() -> None:
    zca = Zca(name="zca")
    assert zca.problem((32, 32, 3)) is None
    assert zca.problem((64, 64, 1)) is None
    problem = zca.problem((150, 150, 3))
    assert problem is not None
    assert "67,500 numbers each, and at most 4,096 are whitened" in problem
    assert f"{67_500**2 * 4 / 1e9:.1f} GB in the run" in problem
