"""Pictures that look alike though their bytes differ: a perceptual hash, pairs of close hashes, and a second opinion.

The hash is of the kind of the DCT hash in Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions"
(2010): the signs of the lowest frequencies of a picture's cosine transform. Two things differ. The transform is taken
of the whole picture, so that nothing is resized first; and a frequency is compared with its median in the data instead
of with the picture's other frequencies, so that each bit is set in half of the pictures also where all are much alike,
as digits are.

Found are copies that were saved again, resized, or made a little brighter. Not found are crops, mirrored and turned
copies, and those whose colours were changed much; where all images share one layout, as digits do, also copies saved
with much loss: of 300 test images each, saved as JPEG of quality 75, 81 % of Fashion-MNIST's are found again, and
99.7 % of MNIST's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BITS = 64
RADII = (7, 3, 1, 0)  # bits that may differ; one more band of equal width than bits, so that one band is equal
COMPARISONS_A_PIECE = 2**20
COMPARED_SIDE = 32  # pixels: finer detail is where two encodings of one photograph differ
# Correlations from which two pictures are taken for one. Measured on pairs of close hashes, test against training
# images: the most alike of MNIST have 0.992 (54,000 x 10,000 images), and 300 copies saved as JPEG of quality 75 have
# 0.994 or more; some twenty pairs of CIFAR-10 looked at, of 0.95 to 0.98, were one photograph each; of 4,000
# photographs of cats and dogs one pair had close hashes, and was one picture.
ALIKE, ALIKE_IN_ONE_LAYOUT = 0.95, 0.995
# The median correlation of the spectra of two training images: photographs 0.01 to 0.05; Quick Draw 0.34, Fashion-MNIST
# 0.44, MNIST 0.51.
ONE_LAYOUT = 0.2
_FREQUENCIES = 10  # a quarter of a disc with the 64 lowest ones fits into so many rows and columns
_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601


@dataclass(frozen=True)
class Likeness:
    """What is usual in a data set: the median of each frequency, float32 (64,).

    From the correlation ``alike`` on, two images are taken for one picture.
    """

    medians: NDArray[np.float32]
    alike: float

    @classmethod
    def of(cls, spectrum: NDArray[np.float32]) -> Likeness:
        """From the spectra of some different images. Where all share one layout, being alike needs to be closer."""
        among = (spectrum @ spectrum.T)[np.triu_indices(len(spectrum), 1)]
        one_layout = len(among) == 0 or float(np.median(among)) > ONE_LAYOUT
        medians: NDArray[np.float32] = np.median(spectrum, axis=0).astype(np.float32)
        return cls(medians, ALIKE_IN_ONE_LAYOUT if one_layout else ALIKE)

    def hashes(self, spectrum: NDArray[np.float32]) -> NDArray[np.uint64]:
        """The hash of each spectrum, uint64 (images,): which frequencies are above their median in the data."""
        packed = np.packbits(spectrum > self.medians, axis=1)
        return np.ascontiguousarray(packed).view(np.uint64)[:, 0]


@dataclass(frozen=True)
class ClosePairs:
    """Pairs of close hashes: int64 (pairs, 2), positions in the first and the second list, sorted.

    ``radius`` is how many bits differ at most; None where even equal hashes were too many to be compared.
    """

    pairs: NDArray[np.int64]
    radius: int | None


def spectra(images: NDArray[Any]) -> NDArray[np.float32]:
    """The 64 lowest frequencies of each image's luminance after the mean, scaled to length 1: float32 (images, 64).

    ``images`` are (images, height, width, channels), any number type. Images of one grey have zeros.
    """
    height, width, channels = images.shape[1:]
    weights = np.array(_LUMINANCE if channels == 3 else [1 / channels] * channels, np.float32)
    grey = images[..., 0].astype(np.float32) if channels == 1 else images.astype(np.float32) @ weights
    grey -= grey.mean(axis=(1, 2), keepdims=True)
    grid = _cosines(height) @ grey @ _cosines(width).T
    lowest = grid.reshape(len(images), -1)[:, _lowest()]
    length = np.linalg.norm(lowest, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = np.where(length > 1e-3, lowest / np.maximum(length, 1e-3), 0)
    return scaled


def close_pairs(first: NDArray[np.uint64], second: NDArray[np.uint64], most_comparisons: int = 10**8) -> ClosePairs:
    """Every pair of hashes that differ in at most ``radius`` bits, found without comparing all with all.

    64 bits in 8 bands: two hashes that differ in at most 7 bits are equal in one of them, so only those that share a
    band are compared. Where these are over ``most_comparisons``, the radius becomes 3 (4 bands), 1, then 0.
    """
    for radius in RADII:
        joins = [_join(*(_band(side, band, radius + 1) for side in (first, second))) for band in range(radius + 1)]
        if sum(int(join.counts.sum()) for join in joins) <= most_comparisons:
            found = [_within(radius, first, second, join) for join in joins]
            codes = np.unique(np.concatenate(found))
            return ClosePairs(np.stack(np.divmod(codes, max(1, len(second))), axis=1), radius)
    return ClosePairs(np.empty((0, 2), np.int64), None)


def correlations(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """The correlation of the pixels of each image in ``first`` with its partner's in ``second``, shrunk to 32 pixels.

    Both are (pairs, height, width, channels); all channels count, so a picture and its grey copy differ. With an image
    of one colour it is 0.
    """
    ones, others = (_shrunk(side).reshape(len(side), -1) for side in (first, second))
    # einsum converts a buffer at a time: standardised copies of the images took four times as long.
    product = _mean_product(ones, others) - _means(ones) * _means(others)
    variances = [_mean_product(side, side) - _means(side) ** 2 for side in (ones, others)]
    length = np.sqrt(np.maximum(variances[0] * variances[1], 0))
    correlation: NDArray[np.float64] = np.where(length > 1e-6, product / np.maximum(length, 1e-6), 0)
    return correlation


@dataclass(frozen=True)
class _Join:
    """Which entries have an equal band: entry i of the second list has counts[i] partners in the first.

    They stand at order[starts[i]] and the places after it.
    """

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]


def _cosines(length: int) -> NDArray[np.float32]:
    """The first rows of the cosine transform (DCT-II) of ``length`` values, as an average: (frequencies, length)."""
    places = (np.arange(length) + 0.5) / length
    return (np.cos(np.pi * np.arange(_FREQUENCIES)[:, np.newaxis] * places) / length).astype(np.float32)


def _lowest() -> NDArray[np.int64]:
    """Positions of the 64 lowest frequencies but the mean, in the flattened square of all."""
    rows, columns = np.divmod(np.arange(_FREQUENCIES**2), _FREQUENCIES)
    return np.argsort(rows**2 + columns**2, kind="stable")[1 : BITS + 1]


def _band(values: NDArray[np.uint64], band: int, bands: int) -> NDArray[np.uint64]:
    width = BITS // bands
    return (values >> np.uint64(band * width)) & np.uint64(2**width - 1)


def _join(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> _Join:
    order = np.argsort(first, kind="stable")
    starts = np.searchsorted(first[order], second, "left")
    return _Join(order, starts, np.searchsorted(first[order], second, "right") - starts)


def _within(radius: int, first: NDArray[np.uint64], second: NDArray[np.uint64], join: _Join) -> NDArray[np.int64]:
    """Codes (position in first times len(second) plus position in second) of the joined pairs within the radius."""
    found = [np.empty(0, np.int64)]
    for ones, others in _joined(join):
        close = np.bitwise_count(first[ones] ^ second[others]) <= radius
        found.append(ones[close] * len(second) + others[close])
    return np.concatenate(found)


def _joined(join: _Join) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The positions of joined pairs, some millions at a time."""
    ends = np.cumsum(join.counts)
    begin = 0
    while begin < len(ends):
        done = ends[begin] - join.counts[begin]
        end = max(begin + 1, int(np.searchsorted(ends, done + COMPARISONS_A_PIECE, "right")))
        counts = join.counts[begin:end]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        yield join.order[np.repeat(join.starts[begin:end], counts) + within], np.repeat(np.arange(begin, end), counts)
        begin = end


def _shrunk(images: NDArray[Any]) -> NDArray[Any]:
    """The images (images, height, width, channels) averaged by area to at most 32 pixels a side."""
    import cv2

    height, width, channels = images.shape[1:]
    size = min(width, COMPARED_SIDE), min(height, COMPARED_SIDE)
    if size == (width, height):
        return images
    shrunk = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images.astype(np.float32)]
    return np.asarray(shrunk, np.float32).reshape(len(images), size[1], size[0], channels)


def _means(rows: NDArray[Any]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = np.einsum("ij->i", rows, dtype=np.float64) / rows.shape[1]
    return means


def _mean_product(rows: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = np.einsum("ij,ij->i", rows, others, dtype=np.float64) / rows.shape[1]
    return means
