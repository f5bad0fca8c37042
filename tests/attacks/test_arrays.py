"""Arrays: .npy (Quick Draw), .npz, HDF5, and MNIST's files, gzipped."""

from __future__ import annotations

import io
import itertools
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

Attack = Callable[..., Any]

IMAGES = np.zeros((20, 8, 8), np.uint8)
LABELS = np.arange(20, dtype=np.uint8) % 2
MODEL = "model: {name: lenet}\ntraining: {epochs: 1}\n"


class Touch:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def inflates_to_a_gigabyte(form: int) -> bytes:
    """A stream of deflate without an end: one block of a megabyte, again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, form)
    first, again = (packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * 1023


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npy_header(text: str, data: bytes = b"") -> bytes:
    header = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


NPY: dict[str, tuple[bytes, str]] = {
    "a pickle in a .npy file": (npy(np.array([Touch()] * 9)), "numbers in C order; got object"),
    "a bare pickle as .npy": (pickle.dumps(Touch()), "not a numpy array"),
    "a call in the header": (
        npy_header("__import__('os').system('touch pwned')"),
        "not a numpy array",
    ),
    "a header that declares a terabyte": (
        npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000,)}"),
        "that its header declares",
    ),
    "a header of 60,000 brackets": (npy_header("(" * 60_000), "not a numpy array"),
    "a side below zero": (
        npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, -784)}", bytes(784)),
        "declares the shape",
    ),
    "a record type": (npy(np.zeros(9, [("a", "u1"), ("b", "O")])), "numbers in C order"),
}


@pytest.mark.parametrize("name", NPY)
def test_a_npy_file_is_refused(name: str, attack: Attack, work: Path) -> None:
    content, message = NPY[name]
    folder = work / "data" / "quickdraw"
    folder.mkdir(parents=True)
    for label in ("cat", "dog"):
        (folder / f"{label}.npy").write_bytes(content)
    (work / "quickdraw.yaml").write_text("dataset: {name: quickdraw, path: quickdraw}\n" + MODEL)
    assert message in attack("data", "check", "quickdraw.yaml").error()


def npz(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def npz_bomb() -> bytes:
    """An array of a gigabyte in one megabyte, by a stream that is put in the place of a stored one."""
    header = npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (20, 7340032, 7)}")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(header) + packer.flush(zlib.Z_FULL_FLUSH) + inflates_to_a_gigabyte(-15)
    content = bytearray(npz({"train_images": packed, "train_labels": npy(LABELS)}, zipfile.ZIP_STORED))
    entry = content.index(b"PK\x01\x02")
    struct.pack_into("<H", content, 8, 8)
    struct.pack_into("<I", content, 22, 2**30)
    struct.pack_into("<H", content, entry + 10, 8)
    struct.pack_into("<I", content, entry + 24, 2**30)
    return bytes(content)


NPZ: dict[str, tuple[Callable[[], bytes], str]] = {
    "a pickle in an .npz file": (
        lambda: npz({"train_images": npy(np.array([Touch()] * 20)), "train_labels": npy(LABELS)}),
        "numbers in C order; got object",
    ),
    "a pickle among the labels": (
        lambda: npz({"train_images": npy(IMAGES), "train_labels": npy(np.array([Touch()] * 20))}),
        "numbers in C order; got object",
    ),
    "a megabyte that unpacks to a gigabyte": (npz_bomb, "more than a file of its size can hold"),
    "a name that climbs out of the folder": (
        lambda: npz({"../beside.txt": b"pwned", "../train_images": npy(IMAGES)}),
        "holds no array 'train_images'",
    ),
    "names of escape sequences": (lambda: npz({"\x1b[2J\x9b1m": npy(IMAGES)}), "holds no array 'train_images'"),
}


@pytest.mark.parametrize("name", NPZ)
def test_an_npz_file_is_refused(name: str, attack: Attack, work: Path) -> None:
    content, message = NPZ[name]
    (work / "arrays.npz").write_bytes(content())
    (work / "npz.yaml").write_text("dataset: {name: npz, path: arrays.npz}\n" + MODEL)
    assert message in attack("data", "check", "npz.yaml").error()


def put(file: h5py.File, name: str, **options: Any) -> h5py.Dataset:
    del file[name]
    return file.create_dataset(name, **options)


def terabyte(file: h5py.File) -> None:
    put(file, "train_images", shape=(20, 250_000, 250_000), dtype="u1", chunks=(1, 500, 500), compression="gzip")


def inflating(file: h5py.File) -> None:
    made = put(file, "train_images", shape=(20, 8, 8), dtype="u1", chunks=(20, 8, 8), compression="gzip")
    made.id.write_direct_chunk((0, 0, 0), inflates_to_a_gigabyte(15))


def large_chunk(file: h5py.File) -> None:
    options: dict[str, Any] = {"maxshape": (None, None, None), "chunks": (20, 8000, 8000), "compression": "gzip"}
    made = put(file, "train_images", shape=(20, 8, 8), dtype="u1", **options)
    made.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(2**20)))


def large_image(file: h5py.File) -> None:
    made = put(file, "train_images", shape=(20, 15_000, 15_000), dtype="u1", chunks=(1, 8000, 8000), compression="gzip")
    packed = zlib.compress(bytes(8000 * 8000))
    for place in itertools.product(range(20), (0, 8000), (0, 8000)):
        made.id.write_direct_chunk(place, packed)


def twice_packed(file: h5py.File) -> None:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk(IMAGES.shape)
    properties.set_deflate(9)
    properties.set_deflate(9)
    del file["train_images"]
    space = h5py.h5s.create_simple(IMAGES.shape)
    made = h5py.h5d.create(file.id, b"train_images", h5py.h5t.NATIVE_UINT8, space, dcpl=properties)
    made.write(h5py.h5s.ALL, h5py.h5s.ALL, IMAGES)


def foreign_filter(file: h5py.File) -> None:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk(IMAGES.shape)
    properties.set_filter(40_000, h5py.h5z.FLAG_OPTIONAL, (1,))
    del file["train_images"]
    space = h5py.h5s.create_simple(IMAGES.shape)
    h5py.h5d.create(file.id, b"train_images", h5py.h5t.NATIVE_UINT8, space, dcpl=properties)


def external(file: h5py.File) -> None:
    put(file, "train_images", shape=(20, 8, 8), dtype="u1", external=[("../beside.bin", 0, 20 * 64)])


def external_names(file: h5py.File) -> None:
    """A private file's text as the classes' names."""
    put(file, "names", shape=(2,), dtype="S4", external=[("../beside.bin", 0, 8)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((20, 8, 8), "u1")
    layout[:] = h5py.VirtualSource("../beside.h5", "secret", (20, 8, 8))
    del file["train_images"]
    file.create_virtual_dataset("train_images", layout)


def linked(link: Any) -> Callable[[h5py.File], None]:
    def spoil(file: h5py.File) -> None:
        del file["train_images"]
        file["train_images"] = link

    return spoil


def objects(file: h5py.File) -> None:
    put(file, "train_images", shape=(20,), dtype=h5py.special_dtype(vlen=np.dtype("u1")))


def one_long_name(file: h5py.File) -> None:
    """Two names by their places in the file, all of which are then the place of a text of 20 MB."""
    put(file, "names", data=np.array(["x" * 20_000_000, "y"], object), dtype=h5py.string_dtype())


def many_names(file: h5py.File) -> None:
    put(file, "names", shape=(10**9,), dtype="S1", chunks=(10**6,), compression="gzip")


def names_of_escapes(file: h5py.File) -> None:
    put(file, "names", data=np.array([b"\x1b]0;title\x07", b"\x1b[31m"] * 2))


HDF5: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "a data set that declares a terabyte": (terabyte, "more than its 0 stored ones can hold"),
    "a chunk of 1 MB that unpacks to a gigabyte": (inflating, "unpacks to more than the 1,280 bytes"),
    "a chunk of 1.3 GB for 1 kB of images": (large_chunk, "too many to be read"),
    "images of 225 MB": (large_image, "an image has at most"),
    "data packed twice": (twice_packed, "is packed by gzip twice"),
    "a filter that would be loaded": (foreign_filter, "is packed by filter 40000"),
    "images in another file": (external, "its data lie in other files"),
    "class names in another file": (external_names, "its data lie in other files"),
    "a virtual data set": (virtual, "its data lie in other files"),
    "an external link": (linked(h5py.ExternalLink("../beside.h5", "secret")), "is a link, which is not followed"),
    "a soft link": (linked(h5py.SoftLink("/train_labels")), "is a link, which is not followed"),
    "lists for images": (objects, "must hold numbers; got objects or texts"),
    "a name of 20 MB": (one_long_name, "its names are longer than"),
    "a billion names": (many_names, "must hold texts (classes,)"),
    "class names of escape sequences": (names_of_escapes, "must hold two names or more, each once"),
}


@pytest.mark.parametrize("name", HDF5)
def test_an_hdf5_file_is_refused(name: str, attack: Attack, work: Path) -> None:
    spoil, message = HDF5[name]
    with h5py.File(work.parent / "beside.h5", "w") as file:
        file["secret"] = IMAGES
    (work.parent / "beside.bin").write_bytes(b"secret" * 300)
    with h5py.File(work / "arrays.h5", "w") as file:
        file["train_images"], file["train_labels"], file["names"] = IMAGES, LABELS, np.array([b"no", b"yes"])
        spoil(file)
    (work / "hdf5.yaml").write_text("dataset: {name: hdf5, path: arrays.h5, class_names: names}\n" + MODEL)
    assert message in attack("data", "check", "hdf5.yaml").error()


def idx(shape: tuple[int, ...]) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)


def gzipped(start: bytes, rest: bytes = b"") -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(start) + (packer.flush(zlib.Z_FULL_FLUSH) + rest if rest else packer.flush())


MNIST: dict[str, tuple[bytes, str]] = {
    "images of eight gigabytes": (gzipped(idx((10**7, 28, 28))), "more than the 4,294,967,296 that are read at most"),
    "a megabyte that unpacks to a gigabyte": (
        gzipped(idx((1_300_000, 28, 28)), inflates_to_a_gigabyte(-15)),
        "more than a file of its size can hold",
    ),
    "a header that is longer than it says": (gzipped(idx((10, 28, 28)), inflates_to_a_gigabyte(-15)), "bytes are left"),
    "a pickle": (pickle.dumps(Touch()), "not an IDX image file"),
}


@pytest.mark.parametrize("name", MNIST)
def test_a_file_in_mnists_format_is_refused(name: str, attack: Attack, work: Path) -> None:
    content, message = MNIST[name]
    folder = work / "data" / "mnist"
    folder.mkdir(parents=True)
    count = next((number for word, number in (("eight", 10**7), ("megabyte", 1_300_000)) if word in name), 10)
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(content)
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzipped(idx((count,)) + bytes(count)))
    (work / "mnist.yaml").write_text("dataset: {name: mnist}\n" + MODEL)
    assert message in attack("data", "check", "mnist.yaml").error()


ATTACKS = [*NPY, *NPZ, *HDF5, *MNIST]
