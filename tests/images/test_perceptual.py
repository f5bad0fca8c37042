"""The perceptual hash against SciPy's cosine transform, its index against all pairs, correlation against numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.fft import dctn

from imgclf.images.perceptual import ALIKE, ALIKE_IN_ONE_LAYOUT, Likeness, close_pairs, correlations, spectra

RANDOM = np.random.default_rng(0)


def test_spectra_are_the_lowest_frequencies_of_scipys_cosine_transform() -> None:
    images = RANDOM.integers(0, 256, (3, 20, 31, 3)).astype(np.uint8)
    order = sorted(
        ((row, column) for row in range(12) for column in range(12)), key=lambda place: sum(np.square(place))
    )
    for image, spectrum in zip(images, spectra(images), strict=True):
        expected = np.array([dctn(image @ [0.299, 0.587, 0.114])[place] for place in order[1:65]])
        np.testing.assert_allclose(spectrum, expected / np.linalg.norm(expected), atol=1e-5)


def test_spectra_stay_with_contrast_and_brightness_and_are_zero_without_contrast() -> None:
    image = RANDOM.integers(50, 100, (1, 16, 16, 1)).astype(np.uint8)
    np.testing.assert_allclose(spectra(image * 2 + 30), spectra(image), atol=1e-5)
    assert not spectra(np.full((1, 16, 16, 1), 200, np.uint8)).any()


def near_hashes(count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Random hashes, and copies of which the i-th has i % 12 bits flipped."""
    hashes = RANDOM.integers(0, 2**64, count, np.uint64)
    flips = [RANDOM.choice(64, number % 12, replace=False) for number in range(count)]
    masks = np.array([sum(1 << int(bit) for bit in bits) for bits in flips], np.uint64)
    return hashes, hashes ^ masks


def all_pairs(first: NDArray[np.uint64], second: NDArray[np.uint64], radius: int) -> list[list[int]]:
    return [
        [one, other]
        for one in range(len(first))
        for other in range(len(second))
        if (int(first[one]) ^ int(second[other])).bit_count() <= radius
    ]


def test_the_index_finds_every_pair_that_comparing_all_finds() -> None:
    first, second = near_hashes(150)
    close = close_pairs(first, second)
    assert close.radius == 7
    assert close.pairs.tolist() == all_pairs(first, second, 7)


def test_too_many_comparisons_make_the_search_stricter_then_stop_it() -> None:
    first, second = near_hashes(150)
    stricter = close_pairs(first, second, most_comparisons=600)  # 8 bands of 256 values need 700, 4 wide ones 500
    assert stricter.radius == 3
    assert stricter.pairs.tolist() == all_pairs(first, second, 3)
    same = np.zeros(50, np.uint64)
    assert close_pairs(same, same, most_comparisons=1000).radius is None
    assert len(close_pairs(same, same).pairs) == 2500


def test_no_hashes_have_no_pairs() -> None:
    none = np.empty(0, np.uint64)
    assert close_pairs(none, near_hashes(3)[0]).pairs.shape == (0, 2)
    assert close_pairs(near_hashes(3)[0], none).pairs.shape == (0, 2)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_correlation_is_numpys_over_all_channels(dtype: type) -> None:
    first, second = RANDOM.integers(0, 256, (2, 5, 28, 20, 3)).astype(dtype)
    expected = [np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in zip(first, second, strict=True)]
    np.testing.assert_allclose(correlations(first, second), expected, atol=1e-9)


def test_large_images_are_compared_by_the_means_of_their_areas() -> None:
    first, second = RANDOM.integers(0, 256, (2, 1, 96, 64, 1)).astype(np.float32)
    blocks = [image[0, ..., 0].reshape(32, 3, 32, 2).mean(axis=(1, 3)).ravel() for image in (first, second)]
    assert correlations(first, second)[0] == pytest.approx(np.corrcoef(*blocks)[0, 1], abs=1e-6)


def test_an_image_of_one_colour_correlates_with_none() -> None:
    plain = np.full((1, 8, 8, 1), 90, np.uint8)
    assert correlations(plain, plain)[0] == 0


def test_images_of_one_layout_must_be_more_alike() -> None:
    noise = RANDOM.normal(size=(100, 64)).astype(np.float32)
    different = noise / np.linalg.norm(noise, axis=1, keepdims=True)
    layout = noise + 10
    alike = layout / np.linalg.norm(layout, axis=1, keepdims=True)
    assert Likeness.of(different).alike == ALIKE
    assert Likeness.of(alike).alike == ALIKE_IN_ONE_LAYOUT
    assert Likeness.of(different[:1]).alike == ALIKE_IN_ONE_LAYOUT
