"""Image files, and zip archives of them."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Attack = Callable[..., Any]

CONFIG = "dataset: {name: image_folder, path: PLACE, max_unreadable: 0}\nmodel: {name: lenet}\ntraining: {epochs: 1}\n"


def good(seed: int = 0) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def zeros(count: int, form: int = 15) -> bytes:
    """``count`` megabytes of zeros as a stream of deflate without an end."""
    packer = zlib.compressobj(9, zlib.DEFLATED, form)
    first, again = (packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * (count - 1)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *more: bytes, data: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def tiff(*entries: tuple[int, int, int, int]) -> bytes:
    """A TIFF of tags, types, counts and values."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + body + bytes(64)


def gif(width: int, height: int) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00;"


def jpeg(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG")
    content = bytearray(file.getvalue())
    place = content.index(b"\xff\xc0") + 5
    content[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def bmp(width: int, height: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header


IMAGES: dict[str, tuple[str, bytes, str]] = {
    "a PNG of 50,000 x 50,000 pixels": ("cat.png", png(50_000, 50_000, data=zeros(1024)), "too many pixels"),
    "a PNG of a gigabyte of text": (
        "cat.png",
        png(9, 9, chunk(b"zTXt", b"a\0\0" + zeros(1024)), data=zlib.compress(bytes(90))),
        "PNG file",
    ),
    "a PNG of a gigabyte of colour profile": (
        "cat.png",
        png(9, 9, chunk(b"iCCP", b"a\0\0" + zeros(1024)), data=zlib.compress(bytes(90))[:-9]),
        "PNG file",
    ),
    "a PNG with a part of four gigabytes": (
        "cat.png",
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + struct.pack(">I", 2**32 - 1) + b"tEXt",
        "PNG file",
    ),
    "a JPEG of 65,000 x 65,000 pixels": ("cat.jpg", jpeg(65_000, 65_000), "too many pixels"),
    "a GIF of 65,000 x 65,000 pixels": ("cat.gif", gif(65_000, 65_000), "too many pixels"),
    "a BMP of 2,000,000,000 x 2,000,000,000 pixels": ("cat.bmp", bmp(2 * 10**9, 2 * 10**9), "too many pixels"),
    "a TIFF of one tile of four gigapixels": (
        "cat.tif",
        tiff(
            (256, 4, 1, 9),
            (257, 4, 1, 9),
            (258, 3, 1, 8),
            (259, 3, 1, 5),
            (262, 3, 1, 1),
            (322, 4, 1, 65_536),
            (323, 4, 1, 65_536),
            (324, 4, 1, 8),
            (325, 4, 1, 50),
        ),
        "TIFF file",
    ),
    "a TIFF with four billion values": (
        "cat.tif",
        tiff((256, 4, 1, 9), (257, 4, 1, 9), (258, 12, 2**32 - 1, 8), (262, 3, 1, 1)),
        "TIFF file",
    ),
    "a script as an image": ("cat.png", b"#!/bin/sh\ntouch pwned\n", "not an image"),
    "PostScript as an image": ("cat.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
}


def folder(work: Path) -> Path:
    for label in ("cat", "dog"):
        (work / "photos" / label).mkdir(parents=True)
        for number in range(6):
            (work / "photos" / label / f"{number}.png").write_bytes(good(number + 10 * (label == "dog")))
    (work / "photos.yaml").write_text(CONFIG.replace("PLACE", "photos"))
    return work / "photos"


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_refused(name: str, attack: Attack, work: Path) -> None:
    file, content, message = IMAGES[name]
    (folder(work) / "cat" / file).write_bytes(content)
    found = attack("data", "check", "photos.yaml", status=1)
    assert message in found.out
    assert "unreadable files: 1" in found.out


def archive(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for label in ("cat", "dog"):
            for number in range(6):
                made.writestr(f"{label}.{number}.png", good(number + 10 * (label == "dog")))
        for name, content in members:
            made.writestr(name, content)
    return file.getvalue()


def special(kind: int, name: str, target: str) -> bytes:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    return archive((info, target.encode()))


def bomb(claimed: int) -> bytes:
    """A member of a megabyte that unpacks to a gigabyte, and says that it is of ``claimed`` bytes."""
    content = bytearray(archive())
    packed = zeros(1024, -15)
    name = b"cat.99.png"
    facts = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, 0, len(packed), claimed, len(name), 0)
    start = content.index(b"PK\x01\x02")
    local = b"PK\x03\x04" + facts + name + packed
    entry = b"PK\x01\x02" + struct.pack("<H", 20) + facts + struct.pack("<HHHII", 0, 0, 0, 0, start) + name
    end = content.index(b"PK\x05\x06")
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 13, 13, end - start + len(entry), start + len(local), 0)
    return bytes(content[:start] + local + content[start:end] + entry + tail)


def overlapping() -> bytes:
    """Entries that all are one and the same member: 300 times its megabyte."""
    content = archive(("cat.000000.png", bytes(2**20)))
    start, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    at = content.rindex(b"PK\x01\x02")
    entry, count = content[at:end], 300
    entries = b"".join(entry.replace(b"000000", b"%06d" % number) for number in range(count))
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 12 + count, 12 + count, at - start + len(entries), start, 0)
    return content[:at] + entries + tail


def lzma_member() -> bytes:
    """A member whose header asks for a dictionary of four gigabytes."""
    content = bytearray(archive(("cat.99.png", b"")))
    entry = content.rindex(b"PK\x01\x02")
    start = struct.unpack_from("<I", content, entry + 42)[0]
    for place in (start + 8, entry + 10):
        struct.pack_into("<H", content, place, zipfile.ZIP_LZMA)
    return bytes(content)


ZIPS: dict[str, tuple[Callable[[], bytes], str, int]] = {
    "a name that climbs out of the archive": (lambda: archive(("../cat.9.png", good())), "leads out of the archive", 2),
    "an absolute name": (lambda: archive(("/tmp/pwned.png", good())), "leads out of the archive", 2),
    "a name with a drive": (lambda: archive(("C:/cat.9.png", good())), "leads out of the archive", 2),
    "a name with backslashes": (lambda: archive(("..\\cat.9.png", good())), "leads out of the archive", 2),
    "a symbolic link": (lambda: special(stat.S_IFLNK, "cat.9.png", "../beside.txt"), "a link in an archive", 0),
    "a device": (lambda: special(stat.S_IFCHR, "cat.9.png", ""), "a device in an archive", 0),
    "a member packed by LZMA": (lzma_member, "packed by another method than deflate", 0),
    "a member of a gigabyte that says so": (lambda: bomb(2**30), "are read at most", 1),
    "a member of a gigabyte that says a kilobyte": (lambda: bomb(2**10), "cat.99.png: damaged in the archive", 1),
    "300 members in one place": (overlapping, "unreadable files: 300", 1),
    "a name of escape sequences": (
        lambda: archive(("cat.\x1b]0;title\x07\x9b31m\u202e.png", b"no image")),
        r"cat.\x1b]0;title\x07\x9b31m\u202e.png",
        1,
    ),
}


@pytest.mark.parametrize("name", ZIPS)
def test_an_archive_does_no_harm(name: str, attack: Attack, work: Path) -> None:
    content, message, status = ZIPS[name]
    (work / "photos.zip").write_bytes(content())
    (work / "photos.yaml").write_text(CONFIG.replace("PLACE", "photos.zip"))
    found = attack("data", "check", "photos.yaml", status=status)
    assert message in (found.error() if status == 2 else found.out + found.err)


def test_links_out_of_a_folder_are_not_followed(attack: Attack, work: Path) -> None:
    (work.parent / "private.png").write_bytes(good())
    (folder(work) / "cat" / "private.png").symlink_to(work.parent / "private.png")
    assert "a link out of the folder (cat/private.png)" in attack("data", "check", "photos.yaml", status=0).out


ATTACKS = [*IMAGES, *ZIPS, "a link out of a folder of images"]
