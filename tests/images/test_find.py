"""Which files arguments mean: files, folders, patterns; nothing is left out in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgclf.errors import ImgclfError
from imgclf.images.find import image_files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "10.png",
        "2.PNG",
        "1.jpg",
        "notes.txt",
        ".hidden.png",
        "Thumbs.db",
        "sub/3.gif",
        "sub/deep/4.webp",
        ".git/5.png",
    ):
        file = tmp_path / "pictures" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "pictures"


def _names(files: tuple[Path, ...]) -> list[str]:
    return [file.name for file in files]


@pytest.mark.usefixtures("folder")
def test_a_folder_gives_its_images_in_natural_order_and_names_what_it_left_out() -> None:
    found = image_files(["pictures"])
    assert _names(found.files) == ["1.jpg", "2.PNG", "10.png", "3.gif", "4.webp"]
    assert {path.name: reason for path, reason in found.skipped} == {
        "notes.txt": "no image by name and content",
        ".hidden.png": "hidden",
        ".git": "hidden",
        "Thumbs.db": "hidden",
    }


def test_a_file_of_a_folder_that_starts_as_an_image_is_taken_whatever_its_name(folder: Path) -> None:
    (folder / "scan").write_bytes(b"\x89PNG\r\n\x1a\n and more")
    (folder / "photo.dat").write_bytes(b"\xff\xd8\xff\xe0")
    assert {"scan", "photo.dat"} < set(_names(image_files(["pictures"]).files))


@pytest.mark.usefixtures("folder")
def test_a_named_file_is_taken_whatever_its_extension() -> None:
    assert image_files(["pictures/notes.txt"]).files == (Path("pictures/notes.txt"),)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("pictures/*.png", ["10.png"]),
        ("pictures/[0-9]*", ["1.jpg", "2.PNG", "10.png"]),
        ("pictures/**/*.gif", ["3.gif"]),
        ("pictures/**", ["1.jpg", "2.PNG", "10.png", "3.gif", "4.webp"]),
        ("*/sub", ["3.gif", "4.webp"]),
        ("pictures/*.txt", ["notes.txt"]),
    ],
)
def test_a_pattern_that_the_shell_left_alone_is_matched(pattern: str, names: list[str]) -> None:
    assert _names(image_files([pattern]).files) == names


def test_an_absolute_pattern_is_matched(folder: Path) -> None:
    assert image_files([str(folder / "*.jpg")]).files == (folder / "1.jpg",)


def test_a_name_with_brackets_is_a_file_before_it_is_a_pattern(folder: Path) -> None:
    odd = folder / "a[1].png"
    odd.write_bytes(b"x")
    assert image_files([str(odd)]).files == (odd,)


@pytest.mark.usefixtures("folder")
def test_a_file_reached_twice_is_kept_once_in_the_order_of_the_arguments() -> None:
    found = image_files(["pictures/10.png", "pictures/sub", "pictures/../pictures/10.png", "pictures/1.jpg"])
    assert _names(found.files) == ["10.png", "3.gif", "4.webp", "1.jpg"]
    assert (Path("pictures/../pictures/10.png"), "the same file as pictures/10.png") in found.skipped


def test_links_that_lead_back_end(folder: Path) -> None:
    (folder / "sub" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "sub" / "up2").symlink_to(folder, target_is_directory=True)
    (folder / "lost.png").symlink_to(folder / "nowhere.png")
    found = image_files([str(folder)])
    assert len(found.files) == 5
    reasons = {path.name: reason for path, reason in found.skipped}
    assert reasons["up"] == "a link to a folder that it lies in"
    assert reasons["lost.png"] == "a link to nothing"
    assert len(image_files([str(folder / "**" / "*.gif")]).files) == 1


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("argument", ["pictures/*.bmp", "missing/*.png", "pictures/not**.png"])
def test_an_argument_that_matches_nothing_is_named(argument: str) -> None:
    with pytest.raises(ImgclfError) as caught:
        image_files(["pictures/1.jpg", argument])
    assert str(caught.value).startswith(f"{argument}: ")


@pytest.mark.usefixtures("folder")
def test_a_named_file_that_is_missing_is_left_to_its_reader_unless_there_is_nothing_else() -> None:
    assert image_files(["missing.png", "pictures/1.jpg"]).files == (Path("missing.png"), Path("pictures/1.jpg"))
    with pytest.raises(ImgclfError, match=r"missing\.png: no such file or folder"):
        image_files(["missing.png", "missing too.png"])


def test_a_folder_without_images_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("words")
    with pytest.raises(ImgclfError, match=r"no image file.*readme\.md"):
        image_files([str(tmp_path)])


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImgclfError, match="holds or matches no file"):
        image_files([str(tmp_path)])
