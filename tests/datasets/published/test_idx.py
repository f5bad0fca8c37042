from __future__ import annotations

import gzip
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from imgclf.datasets.published.idx import read_images, read_images_shape, read_labels, read_labels_count
from imgclf.errors import ImgclfError

ToIdx = Callable[[NDArray[np.uint8]], bytes]
IMAGES = np.random.default_rng(0).integers(0, 256, (30, 5, 7), np.uint8)
LABELS = np.arange(30, dtype=np.uint8) % 10
HEADER = struct.pack(">IIII", 2051, 30, 5, 7)


def write(tmp_path: Path, content: bytes, name: str = "images") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_plain_and_gzipped_are_told_apart_by_content(tmp_path: Path, to_idx: ToIdx, pack: Callable, name: str) -> None:
    path = write(tmp_path, pack(to_idx(IMAGES)), name)
    images = read_images(path)
    assert images.dtype == np.uint8
    assert np.array_equal(images, IMAGES)
    assert read_images_shape(path) == (30, 5, 7)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_labels_are_int32(tmp_path: Path, to_idx: ToIdx, pack: Callable) -> None:
    path = write(tmp_path, pack(to_idx(LABELS)))
    labels = read_labels(path, classes=10)
    assert labels.dtype == np.int32
    assert np.array_equal(labels, LABELS)
    assert read_labels_count(path) == 30


def test_a_label_out_of_range_is_named_with_its_position(tmp_path: Path, to_idx: ToIdx) -> None:
    path = write(tmp_path, to_idx(LABELS))
    with pytest.raises(ImgclfError, match=r"images: labels must be from 0 to 7; got 8 at position 8"):
        read_labels(path, classes=8)


def damaged_gzip(content: bytes) -> dict[str, bytes]:
    packed = gzip.compress(content)
    return {
        "cut short: its compressed data end too early": packed[:-9],
        "damaged compressed data: CRC check failed": packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:],
        "damaged compressed data: Not a gzipped file": packed + b"garbage",
        "bytes are left over after the 1,050": packed + gzip.compress(b"more"),
        "damaged compressed data: Error -3": packed[:10] + b"\xff" * 40,
    }


@pytest.mark.parametrize("problem", list(damaged_gzip(b"")))
def test_damaged_gzip_is_named(tmp_path: Path, to_idx: ToIdx, problem: str) -> None:
    path = write(tmp_path, damaged_gzip(to_idx(IMAGES))[problem])
    with pytest.raises(ImgclfError, match=f"images: {problem}") as caught:
        read_images(path)
    assert caught.value.hint


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not an IDX image file: holds 0 bytes, expected 0x00000803"),
        (b"\0\0\x08", "not an IDX image file: holds 3 bytes"),
        (b"<!DOCTYPE html>", "not an IDX image file: starts with 0x3c21444f, expected 0x00000803"),
        (
            struct.pack(">II", 2049, 3) + b"abc",
            r"not an IDX image file: starts with 0x00000801 \(an IDX label file\), expected 0x00000803",
        ),
        (struct.pack("<IIII", 2051, 30, 5, 7), "not an IDX image file: starts with 0x03080000"),
        (HEADER[:10], "cut short: its header has 10 of 16 bytes"),
        (HEADER + bytes(1049), "cut short: its header declares "),
        (HEADER + bytes(1051), "bytes are left over after the 1,050 that its header declares"),
        (HEADER + bytes(5000), "bytes are left over"),
        (struct.pack(">IIII", 2051, 0, 28, 28), "holds no data: its header declares 0 x 28 x 28 bytes"),
        (
            struct.pack(">IIII", 2051, 2**32 - 1, 2**32 - 1, 2**32 - 1) + b"x",
            "more than the 4,294,967,296 that are read",
        ),
        (struct.pack(">IIII", 2051, 2**20, 2**5, 2**6) + b"x", "more than a file of its size can hold"),
    ],
)
def test_what_is_no_whole_image_file_is_named(tmp_path: Path, pack: Callable, content: bytes, problem: str) -> None:
    path = write(tmp_path, pack(content))
    with pytest.raises(ImgclfError, match=f"images: .*{problem}") as caught:
        read_images(path)
    assert caught.value.hint


def test_an_image_file_is_no_label_file(tmp_path: Path, to_idx: ToIdx) -> None:
    path = write(tmp_path, to_idx(IMAGES))
    with pytest.raises(ImgclfError, match=r"not an IDX label file: starts with 0x00000803 \(an IDX image file\)"):
        read_labels(path, classes=10)


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImgclfError, match="nothing: cannot be read: No such file"):
        read_images(tmp_path / "nothing")
    with pytest.raises(ImgclfError, match="cannot be read: Is a directory"):
        read_images(tmp_path)


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(HEADER + bytes(100_000_000), compresslevel=1))
    tracemalloc.start()
    with pytest.raises(ImgclfError, match="bytes are left over"):
        read_images(path)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_images_are_held_once_while_they_are_read(tmp_path: Path, to_idx: ToIdx) -> None:
    images = np.random.default_rng(0).integers(0, 256, (10_000, 28, 28), np.uint8)
    path = write(tmp_path, gzip.compress(to_idx(images), compresslevel=1))
    tracemalloc.start()
    read_images(path)
    assert tracemalloc.get_traced_memory()[1] < 1.5 * images.nbytes
    tracemalloc.stop()
