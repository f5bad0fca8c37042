from __future__ import annotations

import hashlib

import numpy as np
import pytest
from sklearn.model_selection import StratifiedShuffleSplit

from imgclf.datasets.base import ArrayPixels, Split, Splits, Target
from imgclf.datasets.mnist import Mnist
from imgclf.datasets.split import build_splits, fingerprint, limited, stratified_split
from imgclf.errors import ImgclfError

LABELS = np.random.default_rng(3).choice(7, 1003, p=[0.4, 0.25, 0.15, 0.1, 0.05, 0.03, 0.02])


@pytest.mark.parametrize(
    ("size", "count"), [(0.1, 100), (0.25, 251), (0.9, 903), (1, 1), (7, 7), (500, 500), (1002, 1002)]
)
def test_held_out_count_is_exact_and_the_parts_are_a_partition(size: float, count: int) -> None:
    train, held_out = stratified_split(LABELS, size, seed=5)
    assert len(held_out) == count
    assert np.array_equal(np.sort(np.concatenate([train, held_out])), np.arange(1003))
    for part in (train, held_out):
        assert part.dtype == np.int64
        assert np.array_equal(part, np.sort(part))


@pytest.mark.parametrize("size", [0.1, 0.25, 0.5, 333, 0.9])
def test_each_class_is_within_one_image_of_its_share(size: float) -> None:
    train, held_out = stratified_split(LABELS, size, seed=0)
    counts = np.bincount(LABELS)
    assert np.all(np.abs(np.bincount(LABELS[held_out]) - counts * len(held_out) / 1003) < 1)
    assert np.all(np.abs(np.bincount(LABELS[train]) - counts * len(train) / 1003) < 1)


def test_class_counts_are_those_of_scikit_learn_where_shares_are_whole() -> None:
    labels = np.repeat(np.arange(4), [100, 200, 300, 400])
    _, theirs = next(StratifiedShuffleSplit(1, test_size=0.13, random_state=0).split(labels, labels))
    _, ours = stratified_split(labels, 0.13, seed=0)
    assert np.array_equal(np.bincount(labels[ours]), np.bincount(labels[theirs]))


def test_images_left_over_go_to_the_largest_remainders() -> None:
    labels = np.repeat(np.arange(3), [47, 16, 37])  # shares of 10: 4.7, 1.6, 3.7
    _, held_out = stratified_split(labels, 10, seed=0)
    assert np.bincount(labels[held_out]).tolist() == [5, 1, 4]


def test_the_seed_alone_decides_which_images() -> None:
    first = stratified_split(LABELS, 0.2, seed=1)[1]
    assert np.array_equal(first, stratified_split(LABELS.astype(np.int32), 0.2, seed=1)[1])
    assert not np.array_equal(first, stratified_split(LABELS, 0.2, seed=2)[1])


def test_every_image_has_the_same_chance() -> None:
    labels = np.repeat(np.arange(2), [30, 70])
    times = np.zeros(100)
    for seed in range(1000):
        times[stratified_split(labels, 0.2, seed)[1]] += 1
    # Binomial with 1,000 draws at 0.2: deviation 12.6; five of them on either side.
    assert np.all(np.abs(times - 200) < 64)


def test_a_rare_class_is_in_both_parts() -> None:
    labels = np.repeat(np.arange(3), [990, 8, 2])
    for size in (0.01, 0.1, 0.99):
        train, held_out = stratified_split(labels, size, seed=0)
        assert set(labels[train]) == {0, 1, 2}
        assert set(labels[held_out]) == {0, 1, 2}


def test_the_only_image_of_a_class_is_trained_on() -> None:
    labels = np.array([0] * 20 + [1])
    train, held_out = stratified_split(labels, 0.5, seed=0)
    assert 20 in train
    assert len(held_out) == 10


def test_the_count_holds_where_it_is_less_than_one_image_a_class() -> None:
    labels = np.repeat(np.arange(10), 3)
    assert len(set(labels[stratified_split(labels, 4, seed=0)[1]])) == 4
    assert len(set(labels[stratified_split(labels, 26, seed=0)[0]])) == 4


@pytest.mark.parametrize("size", [1003, 5000, 0.9999])
def test_a_size_that_leaves_nothing_to_train_on_is_refused(size: float) -> None:
    with pytest.raises(ImgclfError, match=r"dataset.validation_size: must leave images to train on; got .* of 1,003"):
        stratified_split(LABELS, size, seed=0)


@pytest.mark.parametrize("size", [0.0001, -1])
def test_a_size_that_sets_nothing_aside_is_refused(size: float) -> None:
    with pytest.raises(ImgclfError, match="must set at least one image aside"):
        stratified_split(LABELS, size, seed=0)


IMAGES = np.random.default_rng(1).integers(0, 256, (5000, 4, 3, 2), np.uint8)
MANY_LABELS = np.arange(5000, dtype=np.int32)[:, np.newaxis] % 5


def build(validation_size: float, seed: int = 0, limit: int | None = None, own: Split | None = None) -> Splits:
    whole = Split(ArrayPixels(IMAGES), MANY_LABELS)
    return build_splits(
        Mnist(name="mnist", validation_size=validation_size, limit_per_class=limit),
        seed,
        whole=whole,
        validation=own,
        load_test=lambda: whole,
        test_images=5000,
        targets=(Target("label", tuple("abcde")),),
        notes=("here",),
    )


def test_images_stay_with_their_labels() -> None:
    splits = build(0.2)
    assert splits.validation is not None
    of_image = {IMAGES[i].tobytes(): MANY_LABELS[i, 0] for i in range(5000)}
    for split, length in ((splits.train, 4000), (splits.validation, 1000)):
        assert len(split) == len(split.labels) == length
        taken = split.pixels.take(np.arange(length)[::-1])
        assert [of_image[image.tobytes()] for image in taken] == split.labels[::-1, 0].tolist()


def test_without_validation_all_images_are_trained_on() -> None:
    splits = build(0)
    assert splits.validation is None
    assert np.array_equal(splits.train.pixels.take(np.arange(5000)), IMAGES)


def test_the_fingerprint_is_of_the_data_and_not_of_the_split() -> None:
    expected = hashlib.sha256(b"(5000, 4, 3, 2) (5000, 1)\n" + IMAGES.tobytes() + MANY_LABELS.astype("<i4").tobytes())
    assert build(0.2, seed=1).fingerprint == build(0, seed=2).fingerprint == expected.hexdigest()


def test_the_fingerprint_changes_with_one_pixel_one_label_and_the_shape() -> None:
    other_images, other_labels = IMAGES.copy(), MANY_LABELS.copy()
    other_images[4999, 3, 2, 1] ^= 1
    other_labels[4999] ^= 1
    found = {
        fingerprint(Split(ArrayPixels(images), labels))
        for images, labels in (
            (IMAGES, MANY_LABELS),
            (other_images, MANY_LABELS),
            (IMAGES, other_labels),
            (IMAGES.reshape(5000, 3, 4, 2), MANY_LABELS),
        )
    }
    assert len(found) == 4


def test_a_limit_keeps_as_many_of_each_class_for_training_and_for_the_test() -> None:
    splits = build(0.1, limit=30)
    assert splits.validation is not None
    seen = np.concatenate([splits.train.labels[:, 0], splits.validation.labels[:, 0]])
    assert np.bincount(seen).tolist() == [30] * 5
    assert np.bincount(splits.validation.labels[:, 0]).tolist() == [3] * 5
    assert splits.test_images == 150
    assert np.bincount(splits.load_test().labels[:, 0]).tolist() == [30] * 5


def test_a_limit_takes_the_same_images_for_every_seed_and_all_of_a_small_class() -> None:
    assert build(0, seed=1, limit=9).fingerprint == build(0, seed=2, limit=9).fingerprint
    labels = np.repeat(np.arange(3), [5, 50, 20])[:, np.newaxis].astype(np.int32)
    some = limited(Split(ArrayPixels(IMAGES[:75]), labels), 20)
    assert np.bincount(some.labels[:, 0]).tolist() == [5, 20, 20]
    everything = limited(Split(ArrayPixels(IMAGES[:75]), labels), 50)
    assert np.array_equal(everything.pixels.take(np.arange(75)), IMAGES[:75])


def test_validation_images_that_the_data_brings_are_taken_as_they_are() -> None:
    own = Split(ArrayPixels(IMAGES[:7]), MANY_LABELS[:7])
    splits = build(0.1, own=own)
    assert splits.validation is own
    assert len(splits.train) == 5000


def test_the_fingerprint_takes_pieces_of_bytes_and_stays_that_of_the_whole() -> None:
    asked: list[int] = []

    class Watched(ArrayPixels):
        def take(self, indices: np.ndarray) -> np.ndarray:
            asked.append(len(indices))
            return super().take(indices)

    images = np.random.default_rng(0).integers(0, 256, (30, 1024, 1024, 3), np.uint8)
    labels = (np.arange(30, dtype=np.int32) % 2)[:, np.newaxis]
    whole = b"(30, 1024, 1024, 3) (30, 1)\n" + images.tobytes() + labels.tobytes()
    assert fingerprint(Split(Watched(images), labels)) == hashlib.sha256(whole).hexdigest()
    assert max(asked) * 1024 * 1024 * 3 <= 2**24
