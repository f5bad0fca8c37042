"""Small good files of arrays: IDX, CIFAR's batches and archives, .npy and .npz."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile

CIFAR_IMAGES, CIFAR_PIXELS = 2, 32 * 32 * 3
BATCH, BINARY_BATCH = "data_batch_1", "data_batch_1.bin"


def idx_files() -> dict[str, bytes]:
    """Images of 3x4 pixels and labels, plain and gzipped."""
    images = struct.pack(">4I", 0x803, 2, 3, 4) + bytes(range(24))
    labels = struct.pack(">2I", 0x801, 6) + bytes(range(6))
    return {
        "images": images,
        "labels": labels,
        "images.gz": gzip.compress(images, mtime=0),
        "labels.gz": gzip.compress(labels, mtime=0),
    }


def cifar_binary_files() -> dict[str, bytes]:
    """A batch of two images, each behind its label."""
    return {BINARY_BATCH: b"".join(bytes([label]) + bytes(range(256)) * 12 for label in (3, 9))}


def cifar_pickles() -> dict[str, bytes]:
    """Batches of the protocols of both Pythons, and small ones of every kind of value."""
    import numpy as np

    def batch(images: int, pixels: int) -> dict[bytes, object]:
        data = np.arange(images * pixels, dtype=np.uint8).reshape(images, pixels)
        return {
            b"batch_label": b"one",
            b"labels": list(range(images)),
            b"data": data,
            b"filenames": [b"a.png"] * images,
        }

    values = {"text": "ä", "numbers": (1, 300, 70_000, 2**40, -1), "more": [None, True, False, (), [], {}]}
    files = {f"protocol-{number}": pickle.dumps(batch(2, 3), protocol=number) for number in (2, 3, 4)}
    files |= {f"values-{number}": pickle.dumps(values, protocol=number) for number in (2, 4)}
    return {**files, "whole": pickle.dumps(batch(CIFAR_IMAGES, CIFAR_PIXELS), protocol=2), "python-2": _of_python_2()}


def _of_python_2() -> bytes:
    """What Python 2's cPickle wrote for {"data": an array of 2x2 bytes, "labels": [1, 2]}."""
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    state = b"(K\x01(K\x02K\x02t" + dtype + b"\x89T\x04\x00\x00\x00abcdtb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R" + state
    return b"\x80\x02}(U\x04data" + array + b"U\x06labels](K\x01K\x02eu."


def cifar_archives() -> dict[str, bytes]:
    """Archives of one batch with each kind of header, not compressed, and one that is."""
    files = {
        "ustar": _archive(tarfile.USTAR_FORMAT, "batches/"),
        "gnu-long-name": _archive(tarfile.GNU_FORMAT, "long/" * 30),
        "pax-long-name": _archive(tarfile.PAX_FORMAT, "länge/" * 30),
    }
    return {**files, "gzipped": gzip.compress(files["ustar"], mtime=0)}


def _archive(form: int, folder: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for name in (BINARY_BATCH, "test_batch.bin"):
            content = cifar_binary_files()[BINARY_BATCH]
            member = tarfile.TarInfo(folder + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def npy_files() -> dict[str, bytes]:
    """Arrays of every kind of number, of texts, in Fortran order, and a header of version 2."""
    import numpy as np

    arrays = {
        "drawings": np.arange(784, dtype=np.uint8).reshape(1, 784),
        "floats": np.arange(6, dtype=np.float32).reshape(2, 3),
        "big-endian": np.arange(3, dtype=">i2"),
        "bools": np.array([True, False]),
        "scalar": np.array(7.5),
        "empty": np.empty((0, 5), np.uint8),
        "texts": np.array(["cat", "dog"]),
        "bytes": np.array([b"cat", b"dog"]),
        "record": np.zeros(2, [("a", "u1"), ("b", "<f4", (2,))]),
        "fortran": np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(2, 3)),
    }
    files = {name: _npy(array) for name, array in arrays.items()}
    stream = io.BytesIO()
    np.lib.format.write_array(stream, arrays["floats"], version=(2, 0))
    return {**files, "version-2": stream.getvalue()}


def npz_files() -> dict[str, bytes]:
    """Keras' file of MNIST and a file of a user's arrays, stored and compressed."""
    import numpy as np

    arrays = {
        "x_train": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        "y_train": np.array([1, 2], np.uint8),
        "class_names": np.array(["cat", "dog"]),
    }
    files = {}
    for name, save in (("stored", np.savez), ("compressed", np.savez_compressed)):
        stream = io.BytesIO()
        save(stream, **arrays)
        files[name] = stream.getvalue()
    return files


def _npy(array: object) -> bytes:
    import numpy as np

    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)  # type: ignore[arg-type]
    return stream.getvalue()
