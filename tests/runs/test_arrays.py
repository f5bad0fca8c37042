from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from imgclf.errors import ImgclfError
from imgclf.runs.arrays import load_arrays, save_arrays

ARRAYS = {"mean": np.arange(3, dtype=np.float32), "matrix": np.random.default_rng(0).random((20, 3), np.float32)}
SHAPES: dict[str, tuple[int, ...]] = {"mean": (3,), "matrix": (20, 3)}


class Trap:
    """Unpickling an instance of this would create the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def load(path: Path) -> dict[str, np.ndarray]:
    """As a run would whose record holds the SHA-256 of this very file."""
    return load_arrays(path, SHAPES, hashlib.sha256(path.read_bytes()).hexdigest())


def test_what_was_saved_is_loaded_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "preprocessing.npz"
    sha256 = save_arrays(path, ARRAYS)
    loaded = load_arrays(path, SHAPES, sha256)
    assert list(loaded) == list(SHAPES)
    for name, array in ARRAYS.items():
        assert loaded[name].dtype == np.float32
        assert np.array_equal(loaded[name], array)
    with np.load(path) as plain:
        assert np.array_equal(plain["matrix"], ARRAYS["matrix"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["preprocessing.npz"]


def test_equal_arrays_give_equal_files(tmp_path: Path) -> None:
    assert save_arrays(tmp_path / "one.npz", ARRAYS) == save_arrays(tmp_path / "two.npz", ARRAYS)


def test_the_file_of_another_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "preprocessing.npz"
    sha256 = save_arrays(path, ARRAYS)
    save_arrays(path, {**ARRAYS, "mean": ARRAYS["mean"] + 1})
    with pytest.raises(ImgclfError, match=f"must be the file that the run wrote, with SHA-256 {sha256}; got "):
        load_arrays(path, SHAPES, sha256)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImgclfError, match=r"preprocessing\.npz: no such file, and the run's preprocessing needs it"):
        load_arrays(tmp_path / "preprocessing.npz", SHAPES, "")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path, sign = tmp_path / "preprocessing.npz", tmp_path / "sign"
    np.savez(path, mean=np.array([Trap(sign)], dtype=object), matrix=ARRAYS["matrix"], allow_pickle=True)
    with pytest.raises(ImgclfError, match="mean"):
        load(path)
    assert not sign.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": np.arange(4, dtype=np.float32)}, r"must be float32 \(3,\) in C order; got float32 \(4,\)"),
        ({"mean": np.arange(3)}, r"must be float32 \(3,\) in C order; got int64 \(3,\)"),
        ({"mean": np.arange(3, dtype=">f4")}, r"must be float32 \(3,\) in C order; got >f4 \(3,\)"),
        ({"matrix": np.asfortranarray(ARRAYS["matrix"])}, r"got float32 \(20, 3\) in Fortran order"),
        ({"matrix": ARRAYS["matrix"].T.copy()}, r"got float32 \(3, 20\)"),
        ({"mean": np.array([0, np.nan, 0], np.float32)}, "every number must be finite"),
        ({"mean": np.zeros(100_000, np.float32)}, r"must be float32 \(3,\) in C order; got 400,128 bytes"),
        ({"stranger": ARRAYS["mean"]}, r"must hold matrix\.npy, mean\.npy; got matrix\.npy, mean\.npy, stranger\.npy"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, changes: dict[str, np.ndarray], message: str) -> None:
    path = tmp_path / "preprocessing.npz"
    np.savez(path, **{**ARRAYS, **changes})
    with pytest.raises(ImgclfError, match=message):
        load(path)


def test_a_header_that_promises_more_than_is_there_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "preprocessing.npz"
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }".ljust(117) + "\n"
    header = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
    for data, found in ((b"1234", "4 bytes of data"), (b"1" * 16, "16 bytes of data")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("mean.npy", header + data)
            archive.writestr("matrix.npy", b"")
        with pytest.raises(ImgclfError, match=f"got {found}"):
            load(path)


def test_packed_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "preprocessing.npz"
    np.savez_compressed(path, **ARRAYS)
    with pytest.raises(ImgclfError, match="must be stored as it is, without compression"):
        load(path)


@pytest.mark.parametrize("cut", [0, 10, 200, 400])
def test_a_file_cut_short_is_damaged(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "preprocessing.npz"
    save_arrays(path, ARRAYS)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ImgclfError, match=r"not an \.npz file, or damaged"):
        load(path)


def test_a_flipped_byte_never_passes_and_raises_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "preprocessing.npz"
    sha256 = save_arrays(path, ARRAYS)
    content = path.read_bytes()
    for place in range(0, len(content), 2):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        with pytest.raises(ImgclfError, match=r"preprocessing\.npz: "):
            load_arrays(path, SHAPES, sha256)


def test_a_header_that_ends_in_a_bracket_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "preprocessing.npz"
    save_arrays(path, ARRAYS)
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content.replace(b")", b" "))
    with pytest.raises(ImgclfError, match=r"preprocessing\.npz: mean\.npy: not a numpy array"):
        load(path)


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "preprocessing.npz"
    save_arrays(path, ARRAYS)
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 9] = 8  # the name is said to be UTF-8
    content[entry + 46] = 0xAA
    path.write_bytes(content)
    with pytest.raises(ImgclfError, match=r"not an \.npz file, or damaged"):
        load(path)
