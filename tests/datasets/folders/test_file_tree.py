from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from imgclf.datasets.folders.file_tree import ON_DISK, ImageFile, folder_tree, name_key
from imgclf.errors import ImgclfError
from imgclf.images.decode import UnreadableImage
from imgclf.images.fit import ImageFit

WriteImage = Callable[..., Path]


def names(root: Path) -> list[str]:
    return [file.name for file in folder_tree(root).images]


def test_images_come_in_natural_order_whatever_the_file_system_says(tmp_path: Path, write_image: WriteImage) -> None:
    for name in ("b/10.png", "b/2.png", "a/x10.png", "B/1.png", "a/x9.png"):
        write_image(tmp_path / name)
    assert names(tmp_path) == ["a/x9.png", "a/x10.png", "B/1.png", "b/2.png", "b/10.png"]


def test_an_accent_written_as_two_characters_sorts_as_one() -> None:
    one, two = unicodedata.normalize("NFC", "é.png"), unicodedata.normalize("NFD", "é.png")
    assert one != two
    assert sorted([f"{two}", "f.png", "d.png"], key=name_key) == ["d.png", "f.png", two]
    assert name_key(one)[0] == name_key(two)[0]


def test_what_is_no_image_by_name_and_content_is_counted_by_kind(tmp_path: Path, write_image: WriteImage) -> None:
    write_image(tmp_path / "a" / "1.png")
    write_image(tmp_path / "picture.png").rename(tmp_path / "a" / "no_extension")
    (tmp_path / "a" / "notes.txt").write_text("a note")
    (tmp_path / "Thumbs.db").write_bytes(b"\0")
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    (tmp_path / ".git").mkdir()
    tree = folder_tree(tmp_path)
    assert [file.name for file in tree.images] == ["a/1.png", "a/no_extension"]
    line = tree.describe_passed_over()
    assert line is not None
    assert "3 hidden" in line
    assert "1 no image by name and content (a/notes.txt)" in line


def test_an_image_name_without_an_image_is_kept_for_the_decoder_to_judge(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    assert names(tmp_path) == ["empty.jpg"]


def test_links_are_followed_inside_and_told_outside(tmp_path: Path, write_image: WriteImage) -> None:
    outside = write_image(tmp_path / "outside" / "1.png")
    root = tmp_path / "root"
    write_image(root / "a" / "1.png")
    (root / "a" / "2.png").symlink_to("1.png")
    (root / "a" / "3.png").symlink_to(outside)
    (root / "b").symlink_to("a")
    (root / "c").symlink_to(outside.parent)
    (root / "a" / "up").symlink_to("..")
    (root / "a" / "dead.png").symlink_to("nothing.png")
    tree = folder_tree(root)
    assert [file.name for file in tree.images] == ["a/1.png", "a/2.png", "b/1.png", "b/2.png"]
    told = {one.name: one.reason for one in tree.passed_over}
    assert told["a/3.png"] == told["c"] == "a link out of the folder"
    assert told["a/up"] == "a link to a folder that it lies in"
    assert told["a/dead.png"] == "a link to nothing"


def test_a_pipe_is_passed_over_and_not_opened(tmp_path: Path, write_image: WriteImage) -> None:
    write_image(tmp_path / "1.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert names(tmp_path) == ["1.png"]
    assert [one.reason for one in folder_tree(tmp_path).passed_over] == ["a device or a pipe"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0)
    with pytest.raises(ImgclfError, match=r"a: cannot be listed: Permission denied"):
        folder_tree(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file that fails when it is read, on Linux alone")
def test_a_file_that_fails_while_it_is_read_is_unreadable() -> None:
    file = ImageFile("mem", Path("/proc/self/mem"), (0, 0), ON_DISK)
    with pytest.raises(UnreadableImage, match="cannot be read: Input/output error"):
        file.digest()
    with pytest.raises(UnreadableImage):
        file.pixels_and_digest(ImageFit())
