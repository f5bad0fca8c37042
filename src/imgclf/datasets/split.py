"""Splits: which images are set aside, and how a data set's arrays become training, validation and test."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import DatasetSettings, Quarantined, SelectedPixels, Split, Splits, Target
from imgclf.datasets.pixels.pieces import pieces
from imgclf.errors import ImgclfError

_PURPOSE = 0x73706C6974  # "split": the second half of the key, so that other draws of the same seed are not these
_LIMIT_SEED = 0  # not the experiment's: quick tries of several seeds are made on the same images


def stratified_split(
    labels: NDArray[np.integer], size: int | float, seed: int, key: str = "validation_size"
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions (training, held out), both int64 and sorted, with the classes of the whole in both parts.

    ``labels`` is (images,), ``size`` a count of images or a fraction of them (rounded). The held-out part has exactly
    that many: each class its share, the images left over by largest remainder, and where the numbers allow it every
    class at least one image in both parts. Which images is drawn by ``seed`` (0 to 2**64 - 1) from raw Philox numbers:
    numpy promises those for every version. Raises ImgclfError where a part that was asked for would be empty; ``key``
    is the setting that it names.
    """
    total = len(labels)
    held_out = _held_out_count(size, total, key)
    counts = np.unique(labels, return_counts=True)[1]
    is_held_out = _drawn(labels, counts, _quotas(counts, held_out), seed)
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
    test_digest: str | None = None,
    quarantine: tuple[Quarantined, ...] = (),
    files: int = 0,
) -> Splits:
    """The loaded data set: validation set aside from ``whole`` by ``seed``, as ``settings`` ask for it.

    A ``validation`` that the data set brings with it is taken as it is, and ``whole`` is the training data alone.
    Classes are kept in proportion by the first target. No image is copied. ``digest`` is the fingerprint of ``whole``,
    ``test_digest`` that of the test split, where they are known without reading all images. With ``limit_per_class``
    the test split is read here, to count it.
    """
    limit = settings.limit_per_class
    if limit is not None:
        whole, test = limited(whole, limit), limited(load_test(), limit)
        validation = limited(validation, limit) if validation else None
        load_test, test_images, digest, test_digest = lambda: test, len(test), None, None
    digest = digest or fingerprint(whole, *([validation] if validation else []))
    train = whole
    if settings.validation_size and validation is None:
        for_training, for_validation = stratified_split(whole.labels[:, 0], settings.validation_size, seed)
        train, validation = select(whole, for_training), select(whole, for_validation)
    return Splits(train, validation, load_test, test_images, targets, digest, notes, quarantine, test_digest, files)


def limited(split: Split, limit: int) -> Split:
    """At most ``limit`` images of each class of the first target, always the same ones; their order is kept."""
    return select(split, limited_positions(split.labels[:, 0], limit))


def limited_positions(labels: NDArray[np.integer], limit: int) -> NDArray[np.int64]:
    """Positions of at most ``limit`` images of each class, always the same ones, sorted; ``labels`` is (images,)."""
    counts = np.unique(labels, return_counts=True)[1]
    return np.flatnonzero(_drawn(labels, counts, np.minimum(counts, limit), _LIMIT_SEED))


def select(split: Split, positions: NDArray[np.int64]) -> Split:
    """The images at these positions, with their labels."""
    pixels = split.pixels
    if isinstance(pixels, SelectedPixels):  # straight from the whole: positions of positions are kept by nobody
        return Split(SelectedPixels(pixels.pixels, pixels.positions[positions]), split.labels[positions])
    return Split(SelectedPixels(pixels, positions), split.labels[positions])


def fingerprint(*splits: Split) -> str:
    """The SHA-256 (hexadecimal) of the shapes and bytes of images and labels, taken piece by piece."""
    digest = hashlib.sha256()
    for split in splits:
        labels = np.ascontiguousarray(split.labels, "<i4")
        digest.update(f"{(len(split), *split.pixels.image_shape)} {labels.shape}\n".encode())
        for images in pieces(split.pixels):
            digest.update(np.ascontiguousarray(images).data)
        digest.update(labels.data)
    return digest.hexdigest()


def fingerprint_of_test(splits: Splits, test: Split) -> str:
    """The fingerprint of the test split, whose images are read for it only where no file tells it."""
    return splits.test_digest or fingerprint(test)


def _drawn(
    labels: NDArray[np.integer], counts: NDArray[np.integer], quotas: NDArray[np.integer], seed: int
) -> NDArray[np.bool_]:
    """Which images are drawn, bool (images,): of each class, in the order of its label, the ``quotas`` first drawn.

    Class by class: a million images take 19 MB for a moment, where sorting all of them by class and draw took 42.
    """
    numbers = np.random.Philox(key=np.array([seed, _PURPOSE], np.uint64)).random_raw(len(labels))
    by_class = np.argsort(labels, kind="stable")
    is_drawn = np.zeros(len(labels), bool)
    for positions, quota in zip(np.split(by_class, np.cumsum(counts)[:-1]), quotas, strict=True):
        is_drawn[positions[np.argsort(numbers[positions], kind="stable")[:quota]]] = True
    return is_drawn


def _held_out_count(size: int | float, total: int, key: str) -> int:
    count = size if isinstance(size, int) else round(size * total)
    if count >= total:
        raise ImgclfError(
            f"dataset.{key}: must leave images to train on; got {size} of {total:,} images",
            hint="Give a smaller count or fraction.",
        )
    if count < 0 or (count == 0 and size):
        raise ImgclfError(
            f"dataset.{key}: must set at least one image aside; got {size} of {total:,} images",
            hint="Give a larger count or fraction" + (", or 0 for no validation." if key == "validation_size" else "."),
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
