from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgclf.datasets.folders import zip_tree as module
from imgclf.datasets.folders.zip_tree import zip_tree
from imgclf.errors import ImgclfError
from imgclf.images.decode import UnreadableImage
from imgclf.images.fit import ImageFit

WriteImage = Callable[..., Path]


def pack(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def image(tmp_path: Path, write_image: WriteImage) -> bytes:
    return write_image(tmp_path / "one.png", 3).read_bytes()


def test_members_are_read_without_being_extracted(tmp_path: Path, image: bytes) -> None:
    members = {"train/dog.0.png": image, "train/cat.10.png": image, "train/cat.9.png": image, "read.txt": b"x"}
    path = pack(tmp_path / "train.zip", members | {"__MACOSX/train/._cat.9.png": b"\0"})
    before = sorted(tmp_path.iterdir())
    tree = zip_tree(path)
    assert [file.name for file in tree.images] == ["train/cat.9.png", "train/cat.10.png", "train/dog.0.png"]
    assert {one.name for one in tree.passed_over} == {"read.txt", "__MACOSX/train/._cat.9.png"}
    expected = np.asarray(Image.open(tmp_path / "one.png"))
    assert np.array_equal(tree.images[0].pixels(ImageFit()), expected)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["/etc/cat.0.png", "../cat.0.png", "a/../../cat.0.png", "C:/cat.0.png"])
def test_names_that_lead_out_of_the_archive_are_refused(tmp_path: Path, image: bytes, name: str) -> None:
    path = pack(tmp_path / "train.zip", {"cat.1.png": image, name: image})
    with pytest.raises(ImgclfError, match="leads out of the archive"):
        zip_tree(path)


def test_an_encrypted_member_is_refused(tmp_path: Path, image: bytes) -> None:
    path = pack(tmp_path / "train.zip", {"cat.1.png": image})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = content.index(signature) + offset
        content[at : at + 2] = struct.pack("<H", 1)
    path.write_bytes(content)
    with pytest.raises(ImgclfError, match=r"cat\.1\.png' is encrypted"):
        zip_tree(path)


def test_a_member_that_unpacks_to_too_much_is_unreadable(
    tmp_path: Path, image: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack(tmp_path / "train.zip", {"cat.1.png": image + bytes(10_000)})
    monkeypatch.setattr(module, "MEMBER_LIMIT_BYTES", 9_000)
    with pytest.raises(UnreadableImage, match=r"unpacks to 10,\d\d\d bytes, more than the 9,000"):
        zip_tree(path).images[0].pixels(ImageFit())


def test_a_damaged_member_is_unreadable_and_says_so(tmp_path: Path, image: bytes) -> None:
    path = pack(tmp_path / "train.zip", {"cat.1.png": image})
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UnreadableImage, match=r"train\.zip/cat\.1\.png: damaged in the archive"):
        zip_tree(path).images[0].pixels(ImageFit())


def test_a_link_in_an_archive_is_passed_over(tmp_path: Path, image: bytes) -> None:
    path = pack(tmp_path / "train.zip", {"cat.1.png": image})
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("cat.2.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    tree = zip_tree(path)
    assert [file.name for file in tree.images] == ["cat.1.png"]
    assert [(one.name, one.reason) for one in tree.passed_over] == [("cat.2.png", "a link in an archive")]


def test_what_is_no_archive_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "train.zip").write_bytes(b"PK\3\4 cut")
    with pytest.raises(ImgclfError, match=r"train\.zip: cannot be read as a zip archive"):
        zip_tree(tmp_path / "train.zip")


def test_names_are_taken_as_paths(tmp_path: Path, image: bytes) -> None:
    path = pack(tmp_path / "train.zip", {"./cat/0.png": image, "dog//1.png": image, "./.git/2.png": image})
    tree = zip_tree(path)
    assert [file.name for file in tree.images] == ["cat/0.png", "dog/1.png"]
    assert [file.path for file in tree.images] == [path / "cat" / "0.png", path / "dog" / "1.png"]
    assert all(file.content() == image and not file.has_changed() for file in tree.images)
    assert tree.folders == ("cat", "dog")
    assert [one.reason for one in tree.passed_over] == ["hidden"]


@pytest.mark.parametrize("other", ["dog//0.png", "./dog/0.png"])
def test_two_names_of_one_path_are_refused(tmp_path: Path, image: bytes, other: str) -> None:
    path = pack(tmp_path / "train.zip", {"dog/0.png": image, other: image})
    with pytest.raises(ImgclfError, match=r"holds two files of the name 'dog/0\.png'"):
        zip_tree(path)


def test_a_refused_archive_is_closed(tmp_path: Path, image: bytes) -> None:
    path = pack(tmp_path / "train.zip", {"../0.png": image})
    before = len(list(Path("/dev/fd").iterdir()))
    with pytest.raises(ImgclfError) as caught:
        zip_tree(path)
    assert len(list(Path("/dev/fd").iterdir())) == before
    assert caught.value is not None  # whose traceback would keep the archive open


@pytest.mark.parametrize(("place", "value"), [(6, 0xFF), (9, 0x08)])  # a later version of zip; a name in UTF-8
def test_an_archive_that_python_cannot_read_is_refused(tmp_path: Path, image: bytes, place: int, value: int) -> None:
    path = pack(tmp_path / "pets.zip", {"\u00e4.0.png": image})
    content = bytearray(path.read_bytes().replace("\u00e4".encode(), b"\xaa\xaa"))
    content[content.index(b"PK\x01\x02") + place] = value
    path.write_bytes(content)
    with pytest.raises(ImgclfError, match=r"pets\.zip: cannot be read as a zip archive"):
        zip_tree(path)


def test_a_member_whose_own_name_is_no_text_is_unreadable(tmp_path: Path, image: bytes) -> None:
    path = pack(tmp_path / "pets.zip", {"\u00e4.0.png": image})
    path.write_bytes(path.read_bytes().replace("\u00e4".encode(), b"\xaa\xaa", 1))
    (file,) = zip_tree(path).images
    with pytest.raises(UnreadableImage, match="damaged in the archive"):
        file.content()
