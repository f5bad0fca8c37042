from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Attack = Callable[..., Any]

CONFIG = "dataset: {name: cifar10, validation_size: 1000}\nmodel: {name: lenet}\ntraining: {epochs: 1}\n"
NAMES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
HEADER = b"\x80\x02"


class Touch:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def doubled(times: int) -> bytes:
    """A tuple of the tuple before, twice, and so on: a few bytes that print as 2 to the power of ``times``."""
    return b")" + b"".join(b"q%ch%c\x86" % (number, number) for number in range(times))


def array(dtype: bytes, shape: bytes, raw: bytes) -> bytes:
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    return made + b"(K\x01" + shape + dtype + b"\x89" + raw + b"tb"


def entry(value: bytes) -> bytes:
    return HEADER + b"}U\x04data" + value + b"s."


def copies(count: int) -> bytes:
    """A call that makes bytes of one text of 10 MB, again and again: what comes of it stays on the stack."""
    text = b"X" + struct.pack("<I", 10_000_000) + b"x" * 10_000_000 + b"q\x00"
    call = b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R"
    return HEADER + text + call * count + b"."


BATCHES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a call of the system": (lambda: pickle.dumps({b"data": Touch()}, 2), "which it asks to be called"),
    "a call in protocol 4": (lambda: pickle.dumps({b"data": Touch()}, 4), "which it asks to be called"),
    "a call in protocol 0": (lambda: pickle.dumps({b"data": Touch()}, 0), "the operation DICT"),
    "a call by an instance": (lambda: HEADER + b"(iposix\nsystem\n.", "the operation INST"),
    "a call by an object": (lambda: HEADER + b"(cposix\nsystem\nU\x0btouch pwnedo.", "which it asks to be called"),
    "a persistent name": (lambda: HEADER + b"Ppwned\n.", "the operation PERSID"),
    "an extension": (lambda: HEADER + b"\x82\x01.", "the operation EXT1"),
    "5 million dicts": (lambda: HEADER + b"}" * 5_000_000 + b".", "operations"),
    "marks without end": (lambda: HEADER + b"(" * 200_000 + b"t" * 199_999 + b".", "must be a dict"),
    "a type that prints as a terabyte": (
        lambda: entry(array(doubled(40), b"K\x01\x85", b"U\x01x")),
        "another type or order",
    ),
    "a shape that prints as a terabyte": (
        lambda: entry(array(b"cnumpy\ndtype\nU\x02u1\x85R", doubled(40), b"U\x01x")),
        "must have as many bytes as its shape declares",
    ),
    "a tuple in a tuple, 500,000 times": (
        lambda: entry(array(b")" + b"\x85" * 500_000, b"K\x01\x85", b"U\x01x")),
        "another type or order",
    ),
    "a shape of numbers without end": (
        lambda: entry(
            array(b"cnumpy\ndtype\nU\x02u1\x85R", b"(" + (b"\x8a\xfe" + b"\x7f" * 254) * 50_000 + b"t", b"U\x01x")
        ),
        "must have as many bytes as its shape declares",
    ),
    "a text of 10 MB copied 200 times": (lambda: copies(200), "more bytes than the file"),
    "a label past 64 bits": (
        lambda: pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [2**100]}, 2),
        "labels",
    ),
    "a key of escape sequences": (lambda: pickle.dumps({b"\x1b[2J\x9b31m": 1}, 2), "must be a dict with the entry"),
    "a million keys": (
        lambda: HEADER + b"}(" + b"".join(b"U\x05%05dN" % number for number in range(100_000)) + b"u.",
        "must be a dict with the entry",
    ),
    "a name of 10 MB": (lambda: HEADER + b"c" + b"a" * 10_000_000 + b"\nb\n.", "which it asks to be called"),
}


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_is_refused(name: str, attack: Attack, work: Path) -> None:
    content, message = BATCHES[name]
    folder = work / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for batch in NAMES:
        (folder / batch).write_bytes(content() if batch == "data_batch_1" else b"")
    (work / "cifar.yaml").write_text(CONFIG)
    assert message in attack("data", "check", "cifar.yaml").error()


def member(name: str, content: bytes = b"", **entries: Any) -> bytes:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    for key, value in entries.items():
        setattr(header, key, value)
    return header.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def declared(name: str, kind: bytes, size: int) -> bytes:
    """A header whose content never comes, or comes as zeros."""
    return member(name, type=kind, size=size)


def sparse() -> bytes:
    """An old GNU sparse file whose map goes on for a million blocks."""
    block = bytearray(member("data_batch_1", type=tarfile.GNUTYPE_SPARSE))
    block[482] = 1  # "isextended"
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:512]) + 8 * 32)
    more = (b"00000000001\0" * 42) + b"\x01" + bytes(7)  # 21 pairs
    return bytes(block) + more * 100_000


ALL = b"".join(member(f"cifar-10-batches-py/{name}", b"not a pickle") for name in NAMES)
OTHERS = b"".join(member(f"cifar-10-batches-py/{name}", b"not a pickle") for name in NAMES[1:])
ARCHIVES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a name that climbs out of the folder": (lambda: member("../beside.txt", b"pwned") + ALL, "not a pickle"),
    "an absolute name": (lambda: member("/tmp/pwned", b"pwned") + ALL, "not a pickle"),
    "a symbolic link out of the folder": (
        lambda: member("cifar-10-batches-py", type=tarfile.SYMTYPE, linkname="/etc") + ALL,
        "not a pickle",
    ),
    "a symbolic link for a batch": (
        lambda: member("data_batch_1", type=tarfile.SYMTYPE, linkname="/etc/passwd") + OTHERS,
        "incomplete: lacks data_batch_1",
    ),
    "a hard link for a batch": (
        lambda: member("data_batch_1", type=tarfile.LNKTYPE, linkname="../beside.txt") + OTHERS,
        "incomplete: lacks data_batch_1",
    ),
    "a device for a batch": (
        lambda: member("data_batch_1", type=tarfile.CHRTYPE, devmajor=1, devminor=5) + OTHERS,
        "incomplete: lacks data_batch_1",
    ),
    "a pipe for a batch": (
        lambda: member("data_batch_1", type=tarfile.FIFOTYPE) + OTHERS,
        "incomplete: lacks data_batch_1",
    ),
    "a name of a gigabyte": (
        lambda: declared("././@LongLink", tarfile.GNUTYPE_LONGNAME, 2**30) + b"a" * 2**20,
        "a header of 1,073,741,824 bytes",
    ),
    "an extended header of a gigabyte": (
        lambda: declared("pax", tarfile.XHDTYPE, 2**30) + b"a" * 2**20,
        "a header of 1,073,741,824 bytes",
    ),
    "a sparse file with a map of 50 MB": (sparse, "a sparse file"),
    "20,000 members": (lambda: member("x") * 20_000, "more than"),
    "ten gigabytes": (lambda: declared("zeros", tarfile.REGTYPE, 10**10) + bytes(2**20), "more than the"),
    "a batch of a gigabyte": (
        lambda: declared("data_batch_1", tarfile.REGTYPE, 2**30) + bytes(2**20),
        "more than the",
    ),
    "two batches of a name": (lambda: ALL + member("data_batch_1", b"again"), "not a pickle"),
}


def gzipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as stream:
        stream.write(content)
    return packed.getvalue()


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_is_refused(name: str, attack: Attack, work: Path) -> None:
    content, message = ARCHIVES[name]
    (work / "data").mkdir()
    (work / "data" / "cifar-10-python.tar.gz").write_bytes(gzipped(content()))
    (work / "cifar.yaml").write_text(CONFIG)
    assert message in attack("data", "check", "cifar.yaml").error()


ATTACKS = [*BATCHES, *ARCHIVES]
