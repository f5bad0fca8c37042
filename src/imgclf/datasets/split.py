"""Splits: which images are set aside, and how a data set's arrays become training, validation and test."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import DatasetSettings, Quarantined, SelectedPixels, Split, Splits, Target
from imgclf.errors import ImgclfError

_PURPOSE = 0x73706C6974  # "split": the second half of the key, so that other draws of the same seed are not these
_LIMIT_SEED = 0  # not the experiment's: quick tries of several seeds are made on the same images
_IMAGES_A_PIECE = 4096


def stratified_split(
    labels: NDArray[np.integer], size: int | float, seed: int, setting: str = "validation_size"
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions (training, held out), both int64 and sorted, with the classes of the whole in both parts.

    ``labels`` is (images,), ``size`` a count of images or a fraction of them (rounded). The held-out part has exactly
    that many: each class its share, the images left over by largest remainder, and where the numbers allow it every
    class at least one image in both parts. Which images is drawn by ``seed`` (0 to 2**64 - 1) from raw Philox numbers:
    numpy promises those for every version. Raises ImgclfError, naming the ``setting``, where a part that was asked for
    would be empty.
    """
    total = len(labels)
    held_out = _held_out_count(size, total, setting)
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    quotas = _quotas(counts, held_out)
    drawn = np.argsort(_philox(seed).random_raw(total), kind="stable")
    by_class = drawn[np.argsort(classes[drawn], kind="stable")]
    starts = np.cumsum(counts) - counts
    rank_in_class = np.arange(total) - np.repeat(starts, counts)
    is_held_out = np.zeros(total, bool)
    is_held_out[by_class[rank_in_class < np.repeat(quotas, counts)]] = True
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)


def build_splits(
    settings: DatasetSettings,
    seed: int,
    *,
    whole: Split,
    validation: Split | None = None,
    load_test: Callable[[], Split],
    test_images: int,
    targets: tuple[Target, ...],
    notes: tuple[str, ...],
    digest: str | None = None,
    quarantine: tuple[Quarantined, ...] = (),
) -> Splits:
    """The loaded data set: validation set aside from ``whole`` by ``seed``, as ``settings`` ask for it.

    A ``validation`` that the data set brings with it is taken as it is, and ``whole`` is the training data alone.
    Classes are kept in proportion by the first target. No image is copied. ``digest`` is the fingerprint of ``whole``
    where it is known without reading all images. With ``limit_per_class`` the test split is read here, to count it.
    """
    limit = settings.limit_per_class
    if limit is not None:
        whole, test = limited(whole, limit), limited(load_test(), limit)
        validation = limited(validation, limit) if validation else None
        load_test, test_images, digest = lambda: test, len(test), None
    train = whole
    if settings.validation_size and validation is None:
        for_training, for_validation = stratified_split(whole.labels[:, 0], settings.validation_size, seed)
        train, validation = select(whole, for_training), select(whole, for_validation)
    digest = digest or fingerprint(whole)
    return Splits(train, validation, load_test, test_images, targets, digest, notes, quarantine)


def limited(split: Split, limit: int) -> Split:
    """At most ``limit`` images of each class of the first target, always the same ones; their order is kept."""
    return select(split, limited_positions(split.labels[:, 0], limit))


def limited_positions(labels: NDArray[np.integer], limit: int) -> NDArray[np.int64]:
    """Positions of at most ``limit`` images of each class, always the same ones, sorted; ``labels`` is (images,)."""
    drawn = np.argsort(_philox(_LIMIT_SEED).random_raw(len(labels)), kind="stable")
    by_class = drawn[np.argsort(labels[drawn], kind="stable")]
    counts = np.bincount(labels)
    rank_in_class = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(by_class[rank_in_class < limit])


def select(split: Split, positions: NDArray[np.int64]) -> Split:
    """The images at these positions, with their labels."""
    return Split(SelectedPixels(split.pixels, positions), split.labels[positions])


def fingerprint(split: Split) -> str:
    """The SHA-256 (hexadecimal) of the shapes and bytes of images and labels, taken piece by piece."""
    labels = np.ascontiguousarray(split.labels, "<i4")
    digest = hashlib.sha256(f"{(len(split), *split.pixels.image_shape)} {labels.shape}\n".encode())
    for start in range(0, len(split), _IMAGES_A_PIECE):
        piece = np.arange(start, min(start + _IMAGES_A_PIECE, len(split)))
        digest.update(np.ascontiguousarray(split.pixels.take(piece)).data)
    digest.update(labels.data)
    return digest.hexdigest()


def _philox(seed: int) -> np.random.Philox:
    return np.random.Philox(key=np.array([seed, _PURPOSE], np.uint64))


def _held_out_count(size: int | float, total: int, setting: str) -> int:
    count = size if isinstance(size, int) else round(size * total)
    if count >= total:
        raise ImgclfError(
            f"dataset.{setting}: must leave images to train on; got {size} of {total:,} images",
            hint="Give a smaller count or fraction.",
        )
    if count < 0 or (count == 0 and size):
        raise ImgclfError(
            f"dataset.{setting}: must set at least one image aside; got {size} of {total:,} images",
            hint="Give a larger count or fraction, or 0 for none at all."
            if setting == "validation_size"
            else "Give a larger count or fraction.",
        )
    return count


def _quotas(counts: NDArray[np.integer], held_out: int) -> NDArray[np.int64]:
    """How many images of each class are held out: in proportion, of sum ``held_out``, 1 to count - 1 where possible."""
    shares = counts * held_out / counts.sum()
    least, most = np.minimum(counts - 1, 1), counts - 1
    quotas: NDArray[np.int64] = np.clip(np.floor(shares).astype(np.int64), least, most)
    if held_out < least.sum():
        least = np.zeros_like(counts)
    if held_out > most.sum():
        most = counts
    while quotas.sum() < held_out:
        quotas[np.argmax(np.where(quotas < most, shares - quotas, -np.inf))] += 1
    while quotas.sum() > held_out:
        quotas[np.argmin(np.where(quotas > least, shares - quotas, np.inf))] -= 1
    return quotas
