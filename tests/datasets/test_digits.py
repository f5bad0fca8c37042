from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from imgclf.datasets.base import DataPlaces
from imgclf.datasets.digits import Digits

PLACES = DataPlaces(Path("not needed"))


def digits(validation_size: float = 0.1) -> Digits:
    return Digits(name="digits", validation_size=validation_size)


def test_images_are_scikit_learns_scaled_to_bytes() -> None:
    theirs = load_digits()
    expected = {
        np.array([round(value * 255 / 16) for value in row], np.uint8).tobytes(): label
        for row, label in zip(theirs.data, theirs.target, strict=True)
    }
    splits = digits(0).load(PLACES, seed=0)
    test = splits.load_test()
    found = 0
    for split in (splits.train, test):
        images = split.pixels.take(np.arange(len(split)))
        assert images.dtype == np.uint8
        assert images.shape == (len(split), 8, 8, 1)
        for image, label in zip(images, split.labels[:, 0], strict=True):
            assert expected[image.tobytes()] == label
            found += 1
    assert found == 1797
    assert images.max() == 255


def test_a_fifth_of_each_class_is_the_test_split() -> None:
    splits = digits().load(PLACES, seed=0)
    test = splits.load_test()
    assert len(test) == splits.test_images == 359  # round(0.2 * 1797)
    shares = np.bincount(load_digits().target) * 359 / 1797
    assert np.all(np.abs(np.bincount(test.labels[:, 0]) - shares) < 1)


def test_seeds_share_the_test_images_and_the_fingerprint_but_not_the_validation_images() -> None:
    first, second = (digits().load(PLACES, seed) for seed in (0, 1))
    everything = np.arange(359)
    assert np.array_equal(first.load_test().pixels.take(everything), second.load_test().pixels.take(everything))
    assert first.fingerprint == second.fingerprint
    assert first.validation is not None
    assert second.validation is not None
    assert len(first.validation) == len(second.validation) == 144
    validation = np.arange(144)
    assert not np.array_equal(first.validation.pixels.take(validation), second.validation.pixels.take(validation))


def test_train_validation_and_test_are_disjoint() -> None:
    splits = digits(300).load(PLACES, seed=4)
    assert splits.validation is not None
    parts = [splits.train, splits.validation, splits.load_test()]
    images = [image.tobytes() for part in parts for image in part.pixels.take(np.arange(len(part)))]
    assert len(images) == 1797
    assert len(set(images)) == len(np.unique(load_digits().data, axis=0))


@pytest.mark.parametrize("size", [0, 7, 0.5])
def test_what_is_known_before_loading_is_what_is_loaded(size: float) -> None:
    splits = digits(size).load(PLACES, seed=0)
    assert digits().known_targets() == splits.targets
    assert digits().known_shape() == splits.train.pixels.image_shape
    assert splits.targets[0].class_names == tuple("0123456789")
