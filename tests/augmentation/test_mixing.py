"""Mixup and CutMix: shares, partners, and what they do to images."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from imgclf.augmentation.base import AugmentationSettings, Draws, augment, augmented_images, mixes, own_shares
from imgclf.augmentation.cutmix import Cutmix
from imgclf.augmentation.flip import Flip
from imgclf.augmentation.mixup import Mixup
from imgclf.augmentation.rotate import Rotate

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 9, 14, 3), np.uint8)
MIXUP, CUTMIX = Mixup(name="mixup", alpha=1.0), Cutmix(name="cutmix")


def mixed(augmentations: tuple[AugmentationSettings, ...], images: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    result: np.ndarray = augment(augmentations, tf.constant(images), tf.constant(numbers, tf.float32)).numpy()
    return result


def shares(augmentations: tuple[AugmentationSettings, ...], numbers: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    result: np.ndarray = own_shares(augmentations, tf.constant(numbers, tf.float32), 9, 14).numpy()
    return result


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_shares_are_drawn_from_the_beta_distribution(alpha: float) -> None:
    numbers = Draws((Mixup(name="mixup", alpha=alpha),), 2000, seed=0).take(0, np.arange(2000))
    assert scipy.stats.kstest(numbers[:, 0], scipy.stats.beta(alpha, alpha).cdf).pvalue > 0.01
    assert numbers.min() >= 0
    assert numbers.max() <= 1


def test_shares_of_alpha_a_half_follow_the_arcsine() -> None:
    uniform = Draws((Rotate(name="rotate"),), 100, seed=3).take(2, np.arange(100)).astype(np.float64)
    drawn = Draws((Mixup(name="mixup", alpha=0.5),), 100, seed=3).take(2, np.arange(100))
    np.testing.assert_allclose(drawn, np.sin(np.pi * uniform / 2) ** 2, rtol=1e-5)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_mixup_blends_each_image_with_the_next(kind: type) -> None:
    numbers = np.random.default_rng(1).random((7, 1), np.float32)
    result = mixed((MIXUP,), IMAGES.astype(kind), numbers)
    own = numbers[:-1, :, None, None].astype(np.float64)
    wanted = own * IMAGES[:-1] + (1 - own) * IMAGES[1:]
    assert result.dtype == kind
    np.testing.assert_allclose(result, wanted, atol=0.501 if kind is np.uint8 else 1e-3)
    assert np.array_equal(shares((MIXUP,), numbers), numbers[:-1, 0])


def test_cutmix_pastes_a_box_of_the_next_image_and_its_share_is_the_area_pasted() -> None:
    numbers = np.random.default_rng(2).random((7, 3), np.float32)
    result, own = mixed((CUTMIX,), IMAGES, numbers), shares((CUTMIX,), numbers)
    for i, (share, down, right) in enumerate(numbers[:-1].astype(np.float64)):
        height, width = int(9 * np.sqrt(1 - share)), int(14 * np.sqrt(1 - share))
        top, left = int(9 * down) - height // 2, int(14 * right) - width // 2
        box = np.zeros((9, 14, 1), bool)
        box[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = True
        assert np.array_equal(result[i], np.where(box, IMAGES[i + 1], IMAGES[i]))
        assert own[i] == pytest.approx(1 - box.mean())


@pytest.mark.parametrize("mixing", [MIXUP, CUTMIX], ids=lambda one: one.name)
def test_the_mass_of_the_labels_is_the_mass_of_the_pixels(mixing: AugmentationSettings) -> None:
    """Images that hold their label as a colour of its own: the mean of each colour is the share of the label."""
    labels = np.array([0, 1, 2, 0, 2, 1, 1, 0])
    images = np.broadcast_to(np.eye(3, dtype=np.float32)[labels][:, None, None], (8, 9, 14, 3)) * 255
    numbers = Draws((mixing,), 8, seed=0).take(0, np.arange(8))
    mass = mixed((mixing,), images, numbers).mean(axis=(1, 2)) / 255
    own = shares((mixing,), numbers)[:, None]
    assert np.allclose(mass.sum(axis=1), 1, atol=1e-5)
    one_hot = np.eye(3)[labels]
    np.testing.assert_allclose(mass, own * one_hot[:-1] + (1 - own) * one_hot[1:], atol=1e-5)


def test_partners_are_mixed_as_the_list_before_leaves_them_and_the_rest_of_it_follows() -> None:
    flip, turn = Flip(name="flip"), Rotate(name="rotate", degrees=30.0)
    numbers = np.random.default_rng(3).random((7, 4), np.float32)
    result = mixed((flip, MIXUP, turn), IMAGES, numbers)
    flipped = mixed((flip,), IMAGES, numbers[:, :2])
    assert np.array_equal(result, mixed((turn,), mixed((MIXUP,), flipped, numbers[:, 2:3]), numbers[:-1, 3:]))
    assert np.array_equal(shares((flip, MIXUP, turn), numbers), numbers[:-1, 2])


def test_only_lists_with_mixup_or_cutmix_mix() -> None:
    assert mixes((Flip(name="flip"), MIXUP))
    assert mixes((CUTMIX,))
    assert not mixes((Flip(name="flip"),))
    assert not mixes(())


def test_the_partner_of_the_last_image_shown_is_the_first() -> None:
    indices = np.array([4, 0, 9])
    shown = augmented_images((MIXUP,), IMAGES[:3], indices, seed=5, epoch=2)
    own = Draws((MIXUP,), 10, seed=5).take(2, indices)[:, :, None, None].astype(np.float64)
    wanted = own * IMAGES[:3] + (1 - own) * np.roll(IMAGES[:3], -1, axis=0)
    assert shown.dtype == np.uint8
    np.testing.assert_allclose(shown, wanted, atol=0.501)
