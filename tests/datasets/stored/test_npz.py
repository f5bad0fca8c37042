from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from imgclf.datasets.stored.npy import map_npy
from imgclf.datasets.stored.npz import read_member, read_member_shape
from imgclf.errors import ImgclfError
from imgclf.images.quiet import without_warnings

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 5, 7), np.uint8)


class Trap:
    """Unpickling an instance of this would create the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_one_array_is_read(tmp_path: Path, save: type) -> None:
    path = tmp_path / "mnist.npz"
    save(path, x_train=IMAGES, y_train=np.arange(30, dtype=np.uint8))
    images = read_member(path, "x_train", dimensions=3)
    assert images.dtype == np.uint8
    assert np.array_equal(images, IMAGES)
    assert read_member_shape(path, "y_train", dimensions=1) == (30,)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path, sign = tmp_path / "mnist.npz", tmp_path / "sign"
    np.savez(path, x_train=np.array([Trap(sign)], dtype=object), allow_pickle=True)
    with pytest.raises(ImgclfError, match=r"x_train: must be uint8 with 1 dimensions in C order; got object \(1,\)"):
        read_member(path, "x_train", dimensions=1)
    assert not sign.exists()


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (IMAGES.astype(np.float32), r"got float32 \(30, 5, 7\)"),
        (IMAGES.reshape(30, 35), r"got uint8 \(30, 35\)"),
        (np.asfortranarray(IMAGES), r"got uint8 \(30, 5, 7\) in Fortran order"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, array: np.ndarray, found: str) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=array)
    with pytest.raises(ImgclfError, match=f"x_train: must be uint8 with 3 dimensions in C order; {found}"):
        read_member(path, "x_train", dimensions=3)


def test_a_missing_array_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=IMAGES)
    with pytest.raises(ImgclfError, match=r"holds no array 'x_test'; got \['x_train.npy'\]"):
        read_member(path, "x_test", dimensions=3)


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=IMAGES)
    content = path.read_bytes()
    path.write_bytes(content[:500])
    with pytest.raises(ImgclfError, match=r"not an \.npz file, or damaged: File is not a zip file"):
        read_member(path, "x_train", dimensions=3)
    path.write_bytes(content.replace(IMAGES[7].tobytes(), IMAGES[8].tobytes()))
    with pytest.raises(ImgclfError, match=r"not an \.npz file, or damaged: Bad CRC-32"):
        read_member(path, "x_train", dimensions=3)


def with_strange_names(content: bytes) -> bytes:
    """A zip archive whose names are said to be UTF-8 and are not, in its entries and before its files."""
    for signature, flags in ((b"PK\x01\x02", 9), (b"PK\x03\x04", 7)):
        start = content.index(signature)
        content = content[:start] + content[start:].replace(b"x_train", b"x_tr\xaain", 1)
        content = content[: start + flags] + b"\x08" + content[start + flags + 1 :]
    return content


def of_a_later_zip(content: bytes) -> bytes:
    """A zip archive that asks for version 25.5 of the format."""
    return content.replace(b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\xff").replace(
        b"PK\x01\x02\x2d\x03\x2d", b"PK\x01\x02\x2d\x03\xff"
    )


@pytest.mark.parametrize("damage", [with_strange_names, of_a_later_zip])
def test_archives_that_python_cannot_read_are_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=IMAGES)
    content = damage(path.read_bytes())
    assert content != path.read_bytes()
    path.write_bytes(content)
    with pytest.raises(ImgclfError, match=r"mnist\.npz: not an \.npz file, or damaged"):
        read_member(path, "x_train", dimensions=3)


def npy_header(shape: str) -> bytes:
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("content", "method", "problem"),
    [
        (
            npy_header("(30, 5, 7)") + bytes(1049),
            zipfile.ZIP_STORED,
            "its header declares 1,050 bytes of data, it holds 1,049",
        ),
        (npy_header("(30, 5, 7)") + bytes(1051), zipfile.ZIP_STORED, "bytes are left over"),
        (
            npy_header("(99999, 9999, 99)") + b"x",
            zipfile.ZIP_STORED,
            "more than the 4,294,967,296 that are read at most",
        ),
        (npy_header("(9999, 999, 9)") + b"x", zipfile.ZIP_DEFLATED, "more than a file of its size can hold"),
        (npy_header("(1, 2, __import__('os'))"), zipfile.ZIP_STORED, "x_train: not a numpy array"),
        (b"<!DOCTYPE html>", zipfile.ZIP_STORED, "x_train: not a numpy array"),
        (
            npy_header("(1, 1, 1)") + b"x",
            zipfile.ZIP_LZMA,
            "must be stored or deflated, as numpy does it; got zip method 14",
        ),
    ],
)
def test_what_is_no_whole_array_is_refused(tmp_path: Path, content: bytes, method: int, problem: str) -> None:
    path = tmp_path / "mnist.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x_train.npy", content)
    with pytest.raises(ImgclfError, match=problem):
        read_member(path, "x_train", dimensions=3)


def test_negative_sides_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cat.npy"
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (-2, -784)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(2 * 784))
    with pytest.raises(ImgclfError, match=r"cat.npy: not a numpy array: its header declares the shape \(-2, -784\)"):
        map_npy(path)


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (7", "EOF in multi-line statement"),
        ("{[]: 1}", ""),
        ("-" * 9000 + "1", ""),
    ],
)
def test_headers_that_pythons_parser_cannot_read_are_refused_in_one_line(
    tmp_path: Path, header: str, problem: str
) -> None:
    path = tmp_path / "cat.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header.encode() + b"\n")
    with pytest.raises(ImgclfError, match=f"cat.npy: not a numpy array: .*{problem}") as refused:
        map_npy(path)
    assert "\n" not in str(refused.value)


def test_a_header_of_python_2_is_read_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "cat.npy"
    np.save(path, IMAGES)
    path.write_bytes(path.read_bytes().replace(b"(30, 5, 7), }   ", b"(30L, 5L, 7L), }"))
    assert b"30L" in path.read_bytes()
    assert np.array_equal(map_npy(path), IMAGES)  # a warning would be an error here


def test_a_header_of_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little") + bytes(2**20))
    with pytest.raises(ImgclfError, match="x_train: not a numpy array: a header of 2,147,483,648 bytes"):
        read_member(path, "x_train", dimensions=3)


def test_threads_that_set_the_processs_warning_filters_aside_wait_for_each_other(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    reading = threading.Thread(target=map_npy, args=(tmp_path / "images.npy",))
    with without_warnings():
        reading.start()
        reading.join(0.2)
        assert reading.is_alive()
    reading.join(10)
    assert not reading.is_alive()
