from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imgclf.datasets.base import ArrayPixels, SelectedPixels, Split, Target
from imgclf.datasets.pixels.census import HeldBytes, class_counts, held_bytes, pixel_statistics
from imgclf.datasets.pixels.joined import JoinedPixels
from imgclf.datasets.pixels.pieces import PIECE_BYTES, image_bytes, pieces, spread
from imgclf.datasets.pixels.rounded import RoundedPixels
from imgclf.datasets.pixels.shaped import ShapedPixels
from imgclf.datasets.stored.rows import ArrayRows, RowPixels
from imgclf.images.fit import ImageFit


@dataclass(frozen=True)
class WatchedPixels(ArrayPixels):
    """Remembers how many bytes were taken at once."""

    taken: list[int] = field(default_factory=list)

    def take(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        images = super().take(indices)
        self.taken.append(images.nbytes)
        return images


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_mean_and_deviation_are_numpys_of_the_whole(dtype: type) -> None:
    array: Any = np.random.default_rng(0).integers(0, 256, (50, 9, 7, 3)).astype(dtype)
    statistics = pixel_statistics(ArrayPixels(array))
    np.testing.assert_allclose(statistics.mean, array.mean(axis=(0, 1, 2), dtype=np.float64))
    np.testing.assert_allclose(statistics.deviation, array.std(axis=(0, 1, 2), dtype=np.float64))


def test_the_whole_is_never_taken_at_once() -> None:
    pixels = WatchedPixels(np.zeros((60, 1024, 1024, 1), np.uint8))
    pixel_statistics(pixels)
    assert max(pixels.taken) <= PIECE_BYTES
    assert sum(pixels.taken) == 60 * 2**20


def test_pieces_are_all_images_in_order_and_report() -> None:
    array = np.zeros((40, 1024, 1024, 1), np.uint8)
    array[:, 7, 7, 0] = np.arange(40)
    reports: list[tuple[int, int]] = []
    read = [piece[:, 7, 7, 0] for piece in pieces(ArrayPixels(array), lambda *report: reports.append(report))]
    assert np.concatenate(read).tolist() == list(range(40))
    assert reports == [(16, 40), (32, 40), (40, 40)]


def test_an_image_larger_than_a_piece_is_read_alone() -> None:
    pixels = ArrayPixels(np.zeros((2, 4096, 4097, 1), np.uint8))
    assert image_bytes(pixels) == prod((4096, 4097))
    assert [len(piece) for piece in pieces(pixels)] == [1, 1]


def test_spread_positions_are_even_and_no_more_than_there_are() -> None:
    assert spread(10, 4).tolist() == [0, 3, 6, 9]
    assert spread(3, 100).tolist() == [0, 1, 2]
    assert spread(0, 5).tolist() == []


def test_classes_are_counted_for_each_target() -> None:
    labels = np.array([[0, 2], [1, 2], [0, 0]], np.int32)
    split = Split(ArrayPixels(np.zeros((3, 2, 2, 1), np.uint8)), labels)
    counts = class_counts(split, [Target("animal", ("cat", "dog")), Target("colour", ("red", "blue", "green", "grey"))])
    assert [count.tolist() for count in counts] == [[2, 1], [1, 0, 2, 0]]


def test_an_array_counts_once_and_one_that_is_mapped_for_itself(tmp_path: Path) -> None:
    array = np.zeros((10, 4, 4, 1), np.uint8)
    path = tmp_path / "images.npy"
    np.save(path, array)
    mapped = ArrayPixels(np.asarray(np.load(path, mmap_mode="r")).reshape(10, 4, 4, 1))
    whole = ArrayPixels(array)
    parts = [
        SelectedPixels(whole, np.arange(5)),
        ShapedPixels(SelectedPixels(whole, np.arange(5, 10)), (8, 8, 1), ImageFit((8, 8))),
    ]
    rows = RowPixels(ArrayRows(np.zeros((3, 16), np.uint8), "rows"), (4, 4, 1))
    held = held_bytes([*parts, RoundedPixels(JoinedPixels([mapped, rows]))])
    assert held == HeldBytes(in_memory=10 * 16 + 3 * 16, mapped=10 * 16)
