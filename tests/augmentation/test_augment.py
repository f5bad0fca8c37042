"""What every augmentation promises."""

from __future__ import annotations

import typing

import numpy as np
import pytest
from pydantic import TypeAdapter

from imgclf.augmentation import AugmentationUnion
from imgclf.augmentation.base import AugmentationSettings, Draws, augmented_images, mixes

CHOICE, _ = typing.get_args(AugmentationUnion)
NAMES = [typing.get_args(kind.model_fields["name"].annotation)[0] for kind in typing.get_args(CHOICE)]
PHOTOS = np.random.default_rng(0).integers(0, 256, (8, 12, 17, 3), np.uint8)


def default(name: str) -> AugmentationSettings:
    made: AugmentationSettings = TypeAdapter(AugmentationUnion).validate_python({"name": name})
    return made


EVERYTHING = tuple(default(name) for name in NAMES if name != "cutmix")


@pytest.mark.parametrize("name", NAMES)
def test_the_name_alone_changes_some_images_and_keeps_shape_and_type(name: str) -> None:
    shown = augmented_images((default(name),), PHOTOS, np.arange(8), seed=0, epoch=0)
    assert shown.shape == PHOTOS.shape
    assert shown.dtype == np.uint8
    assert not np.array_equal(shown, PHOTOS)


@pytest.mark.parametrize("name", NAMES)
def test_floats_stay_floats_from_0_to_255(name: str) -> None:
    import tensorflow as tf

    from imgclf.augmentation.base import augment

    one = (default(name),)
    pixels = tf.constant(np.where(PHOTOS > 127, 255, 0), tf.float32)
    result = augment(one, pixels, tf.constant(Draws(one, 8, seed=0).take(0, np.arange(8))))
    assert result.dtype == tf.float32
    assert float(tf.reduce_min(result)) >= 0
    assert float(tf.reduce_max(result)) <= 255


@pytest.mark.parametrize("name", [name for name in NAMES if not mixes((default(name),))])
def test_an_image_gets_the_same_whoever_else_is_in_its_batch(name: str) -> None:
    one, indices = (default(name),), np.array([5, 900, 3, 77, 0, 12, 13, 400])
    together = augmented_images(one, PHOTOS, indices, seed=3, epoch=6)
    order = np.random.default_rng(1).permutation(8)
    assert np.array_equal(augmented_images(one, PHOTOS[order], indices[order], seed=3, epoch=6), together[order])
    for i in (0, 7):
        alone = augmented_images(one, PHOTOS[i : i + 1], indices[i : i + 1], seed=3, epoch=6)
        assert np.array_equal(alone[0], together[i])


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_and_another_epoch_show_another_batch(name: str) -> None:
    shown = [
        augmented_images((default(name),), PHOTOS, np.arange(8), seed, epoch)
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert not np.array_equal(shown[0], shown[1])
    assert not np.array_equal(shown[0], shown[2])


def test_all_in_one_list_can_be_shown_again() -> None:
    first = augmented_images(EVERYTHING, PHOTOS, np.arange(8), seed=0, epoch=4)
    assert np.array_equal(augmented_images(EVERYTHING, PHOTOS, np.arange(8), seed=0, epoch=4), first)


def test_what_is_shown_does_not_depend_on_how_many_images_there_are() -> None:
    few, many = (Draws(EVERYTHING, images, seed=2).take(3, np.arange(10)) for images in (10, 10_000))
    assert np.array_equal(few, many)
