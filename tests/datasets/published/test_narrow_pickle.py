from __future__ import annotations

import contextlib
import io
import os
import pickle
import struct
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imgclf.datasets.published.narrow_pickle import read_narrow_pickle
from imgclf.errors import ImgclfError
from imgclf.images.quiet import without_warnings

FILE = Path("data_batch_1")
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 3072), np.uint8)
BATCH = {b"batch_label": b"one", b"labels": [6, 9, 0, 3], b"data": IMAGES, b"filenames": [b"a.png"] * 4}


def python_2_pickle(array: np.ndarray[Any, Any], labels: list[int]) -> bytes:
    """The opcodes that Python 2's cPickle wrote for {"data": array, "labels": labels}: str is BINSTRING."""

    def text(content: bytes) -> bytes:
        return b"U" + bytes([len(content)]) + content

    raw = array.tobytes()
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R(K\x03" + text(b"|") + b"NNN"
    dtype += b"J\xff\xff\xff\xff" * 2 + b"K\x00tb"
    shape = b"".join(b"M" + struct.pack("<H", length) for length in array.shape)
    state = b"(K\x01(" + shape + b"t" + dtype + b"\x89T" + struct.pack("<i", len(raw)) + raw + b"tb"
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    numbers = b"](" + b"".join(b"K" + bytes([number]) for number in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + made + state + text(b"labels") + numbers + b"u."


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_a_batch_of_any_python_3_is_read(protocol: int) -> None:
    batch = read_narrow_pickle(pickle.dumps(BATCH, protocol=protocol), FILE)
    assert np.array_equal(batch["data"], IMAGES)
    assert batch["labels"] == [6, 9, 0, 3]
    assert batch["filenames"] == [b"a.png"] * 4


def test_a_batch_as_python_2_wrote_it_is_read() -> None:
    content = python_2_pickle(IMAGES, [1, 2, 3, 4])
    assert np.array_equal(pickle.loads(content, encoding="bytes")[b"data"], IMAGES)  # what is fed here is a pickle
    batch = read_narrow_pickle(content, FILE)
    assert np.array_equal(batch["data"], IMAGES)
    assert batch["labels"] == [1, 2, 3, 4]


class Attack:
    def __init__(self, called: Any, *arguments: Any) -> None:
        self.answer = called, arguments

    def __reduce__(self) -> Any:
        return self.answer


def test_what_a_file_asks_to_be_called_is_named_and_not_called(tmp_path: Path) -> None:
    bait = tmp_path / "bait"
    for protocol in range(2, 5):
        for value in (
            Attack(os.mkdir, str(bait)),
            Attack(eval, f"open({str(bait)!r}, 'w')"),
            Attack(open, str(bait), "w"),
        ):
            with pytest.raises(ImgclfError, match=r"data_batch_1: .*holds the name '[a-z0-9_.]+'") as error:
                read_narrow_pickle(pickle.dumps({b"data": value}, protocol=protocol), FILE)
            assert "Nothing of the file was run" in str(error.value.hint)
    assert not bait.exists()


@pytest.mark.parametrize(
    "value",
    [
        IMAGES.astype(np.float32),
        np.array([{}], object),
        np.asfortranarray(IMAGES),
        3.5,
        {1, 2},
        np.random.default_rng(0),
        np.ma.masked_array([1]),
        bytearray(b"1"),
    ],
    ids=["float", "object", "fortran", "number with a fraction", "set", "generator", "masked", "bytearray"],
)
def test_all_but_plain_containers_whole_numbers_texts_and_bytes_arrays_is_refused(value: Any) -> None:
    for protocol in (2, 4):
        with pytest.raises(ImgclfError, match=r"^data_batch_1: not a pickle"):
            read_narrow_pickle(pickle.dumps({b"data": value}, protocol=protocol), FILE)


def test_the_name_of_an_array_is_not_an_array() -> None:
    with pytest.raises(ImgclfError, match="bare name"):
        read_narrow_pickle(pickle.dumps({b"data": np.ndarray}, protocol=2), FILE)


@pytest.mark.parametrize("cut", [0, 1, 2, 30, 200, 5000, -1])
def test_a_cut_file_is_an_error_that_names_it(cut: int) -> None:
    with pytest.raises(ImgclfError, match=r"^data_batch_1: not a pickle, or damaged"):
        read_narrow_pickle(pickle.dumps(BATCH, protocol=2)[:cut], FILE)


def test_an_array_must_have_the_bytes_that_it_declares() -> None:
    content = python_2_pickle(IMAGES, [1]).replace(b"M\x04\x00M\x00\x0c", b"M\xff\xffM\xff\xff")
    with pytest.raises(ImgclfError, match="must have as many bytes"):
        read_narrow_pickle(content, FILE)


def test_a_declared_terabyte_and_a_huge_memo_cost_nothing() -> None:
    declared = b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc."
    memo = b"\x80\x02}r" + struct.pack("<I", 2**31 - 1) + b"."
    with pytest.raises(ImgclfError):
        read_narrow_pickle(declared, FILE)
    assert read_narrow_pickle(memo, FILE) == {}


def test_random_damage_never_does_more_than_raise() -> None:
    content, numbers = bytearray(pickle.dumps(BATCH, protocol=2)), np.random.default_rng(5)
    header = content.index(IMAGES[0, :8].tobytes()) if IMAGES[0, :8].tobytes() in content else 400
    for _ in range(400):
        damaged = bytearray(content)
        for place in numbers.integers(0, header, 3):
            damaged[place] = numbers.integers(0, 256)
        with contextlib.suppress(ImgclfError):
            read_narrow_pickle(bytes(damaged), FILE)


def test_nothing_is_read_behind_the_end() -> None:
    stream = io.BytesIO(pickle.dumps({b"labels": [1]}, protocol=2) + b"cos\nsystem\n")
    assert read_narrow_pickle(stream.getvalue(), FILE) == {"labels": [1]}


def test_a_key_of_tuples_in_tuples_is_refused_and_ends_no_process() -> None:
    deep = b"\x80\x02}K\x01" + b"\x85" * 300_000 + b"K\x02s."
    with pytest.raises(ImgclfError, match="a key of type tuple"):
        read_narrow_pickle(deep, FILE)


def test_threads_that_set_the_processs_warning_filters_aside_wait_for_each_other() -> None:
    reading = threading.Thread(target=read_narrow_pickle, args=(pickle.dumps(BATCH), FILE))
    with without_warnings():
        reading.start()
        reading.join(0.2)
        assert reading.is_alive()
    reading.join(10)
    assert not reading.is_alive()
