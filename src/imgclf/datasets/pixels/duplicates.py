"""Images that a data set holds more than once: equal pixels anywhere, pictures that look alike in two splits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import Pixels
from imgclf.datasets.pixels.pieces import Report, images_a_piece, pieces, spread
from imgclf.images.perceptual import Likeness, close_pairs, correlations, spectra

SAMPLE = 2048  # training images that tell what is usual
MOST_PAIRS = 100_000  # of two splits: frames of one film would give millions
DIGEST_BYTES = 8  # of a million different images, two share one with a probability of 3e-8


@dataclass(frozen=True)
class Prints:
    """Of each image of a split: a digest of its pixels and its perceptual hash, uint64 (images,) each.

    ``is_one_colour`` is bool (images,): such images have no perceptual hash.
    """

    digests: NDArray[np.uint64]
    hashes: NDArray[np.uint64]
    is_one_colour: NDArray[np.bool_]


@dataclass(frozen=True)
class NearPairs:
    """Pairs of images of two splits that look alike and are not equal, the most alike first.

    ``pairs`` is int64 (pairs, 2), ``correlation`` float64 (pairs,). ``radius`` is how many of the 64 bits of the hash
    differed at most in the pairs that were looked at; None where there were too many to look at any. ``passed_over``
    pairs of close hashes were too many to be looked at, of all of them evenly spread.
    """

    pairs: NDArray[np.int64]
    correlation: NDArray[np.float64]
    radius: int | None
    passed_over: int = 0


def usual_likeness(pixels: Pixels) -> Likeness:
    """What is usual in these images, from 2,048 of them, evenly spread."""
    positions = spread(len(pixels), SAMPLE)
    step = images_a_piece(pixels)
    parts = [spectra(pixels.take(positions[start : start + step])) for start in range(0, len(positions), step)]
    return Likeness.of(np.concatenate(parts))


def take_prints(pixels: Pixels, likeness: Likeness, report: Report = lambda _done, _total: None) -> Prints:
    """The prints of all images, read in pieces."""
    digests, hashes, is_one_colour = [], [], []
    for images in pieces(pixels, report):
        digests += [_digest(image) for image in images]
        hashes.append(likeness.hashes(spectra(images)))
        is_one_colour.append((images == images[:, :1, :1]).all(axis=(1, 2, 3)))
    if not hashes:
        return Prints(np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0, np.bool_))
    return Prints(np.array(digests, np.uint64), np.concatenate(hashes), np.concatenate(is_one_colour))


def equal_images(splits: Sequence[Prints]) -> list[list[tuple[int, int]]]:
    """Groups of two or more images with equal pixels, each image as (split, index), in order of their first images."""
    digests = np.concatenate([one.digests for one in splits])
    split_of = np.repeat(np.arange(len(splits)), [len(one.digests) for one in splits])
    index_of = np.concatenate([np.arange(len(one.digests)) for one in splits])
    _, group, counts = np.unique(digests, return_inverse=True, return_counts=True)
    repeated = np.flatnonzero(counts[group] > 1)
    members: dict[int, list[tuple[int, int]]] = {}
    for position in repeated:
        members.setdefault(int(group[position]), []).append((int(split_of[position]), int(index_of[position])))
    return list(members.values())


def near_images(pixels: tuple[Pixels, Pixels], prints: tuple[Prints, Prints], likeness: Likeness) -> NearPairs:
    """The pairs of an image of the first and one of the second split that look alike: close hashes, then close pixels.

    Of images with equal pixels in one split only the first takes part, and no image of one colour does.
    """
    ones, others = (_different(one) for one in prints)
    close = close_pairs(prints[0].hashes[ones], prints[1].hashes[others])
    pairs = np.stack([ones[close.pairs[:, 0]], others[close.pairs[:, 1]]], axis=1)
    pairs = pairs[prints[0].digests[pairs[:, 0]] != prints[1].digests[pairs[:, 1]]]
    passed_over = max(0, len(pairs) - MOST_PAIRS)
    pairs = pairs[spread(len(pairs), MOST_PAIRS)]
    correlation = _correlations(pixels, pairs)
    alike = np.flatnonzero(correlation >= likeness.alike)
    order = alike[np.argsort(-correlation[alike], kind="stable")]
    return NearPairs(pairs[order], correlation[order], close.radius, passed_over)


def _digest(image: NDArray[np.generic]) -> int:
    return int.from_bytes(hashlib.blake2b(image.data, digest_size=DIGEST_BYTES).digest(), "little")


def _different(prints: Prints) -> NDArray[np.int64]:
    """Positions of the images to compare: one of each set of equal ones, none of one colour."""
    firsts = np.unique(prints.digests, return_index=True)[1]
    return np.sort(firsts[~prints.is_one_colour[firsts]])


def _correlations(pixels: tuple[Pixels, Pixels], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    step = max(1, images_a_piece(pixels[0]) // 16)  # they stay in the cache of a processor
    parts = [np.empty(0)]
    for start in range(0, len(pairs), step):
        piece = pairs[start : start + step]
        parts.append(correlations(pixels[0].take(piece[:, 0]), pixels[1].take(piece[:, 1])))
    return np.concatenate(parts)
