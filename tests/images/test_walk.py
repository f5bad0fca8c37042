"""What lies below a folder, links and all."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgclf.images.walk import walk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("top/a/1.png", "top/.git/2.png", "other/3.png"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    (tmp_path / "top" / "out").symlink_to(tmp_path / "other", target_is_directory=True)
    (tmp_path / "top" / "a" / "up").symlink_to(tmp_path / "top", target_is_directory=True)
    return tmp_path / "top"


def told(folder: Path, *, outward: bool) -> dict[str, str | None]:
    return {met.name: met.left_out for met in walk(folder, outward=outward)}


def test_links_that_lead_out_are_followed_only_where_they_are_wanted(folder: Path) -> None:
    inside = {"a": None, "a/1.png": None, "a/up": "a link to a folder that it lies in", ".git": "hidden"}
    assert told(folder, outward=False) == inside | {"out": "a link out of the folder"}
    assert told(folder, outward=True) == inside | {"out": None, "out/3.png": None}


def test_a_folder_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        walk(tmp_path / "nowhere", outward=True)
