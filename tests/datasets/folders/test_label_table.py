from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from imgclf.datasets.folders.file_tree import ON_DISK, ImageFile, Tree
from imgclf.datasets.folders.label_table import Columns, csv_layout
from imgclf.datasets.folders.layout import Layout
from imgclf.errors import ImgclfError

NAMES = ("a/1.jpg", "a/2.jpg", "b/3.jpg")


def read(
    folder: Path,
    text: str,
    names: tuple[str, ...] = NAMES,
    *,
    labels: tuple[str, ...] = ("colour",),
    split: str | None = None,
) -> Layout:
    tree = Tree(folder, tuple(ImageFile(name, folder / name, (0, 0), ON_DISK) for name in names), (), ())
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    return csv_layout(folder / "labels.csv", Columns("file", labels, split), tree)


def test_each_label_column_is_a_target(tmp_path: Path) -> None:
    text = "file,colour,pattern\na/1.jpg,red,plain\n./a/2.jpg,blue,dots\nb\\3.jpg,red,dots\n"
    layout = read(tmp_path, text, labels=("colour", "pattern"))
    assert layout.target_names == ("colour", "pattern")
    assert [(one.file.name, one.classes) for one in layout.train] == [
        ("a/1.jpg", ("red", "plain")), ("a/2.jpg", ("blue", "dots")), ("b/3.jpg", ("red", "dots"))
    ]  # fmt: skip


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_spreadsheets_mark_and_delimiters_are_understood(tmp_path: Path, delimiter: str) -> None:
    text = "\ufefffile,colour\r\na/1.jpg,red\r\na/2.jpg,blue\r\n".replace(",", delimiter)
    assert [one.classes for one in read(tmp_path, text).train] == [("red",), ("blue",)]


def test_a_split_column_places_the_rows(tmp_path: Path) -> None:
    text = "file,colour,part\na/1.jpg,red,train\na/2.jpg,blue,VAL\nb/3.jpg,red,test\n"
    layout = read(tmp_path, text, split="part")
    assert [
        [one.file.name for one in files or ()] for files in (layout.train, layout.validation, layout.test)
    ] == [["a/1.jpg"], ["a/2.jpg"], ["b/3.jpg"]]  # fmt: skip
    with pytest.raises(ImgclfError, match=r"labels\.csv:2: the split must be .*; got 'maybe'"):
        read(tmp_path, text.replace("train", "maybe"), split="part")


def test_rows_without_a_file_or_a_label_are_quarantined_with_their_line(tmp_path: Path) -> None:
    layout = read(tmp_path, "file,colour\na/1.jpg,red\na/9.jpg,red\na/2.jpg,\nb/3.jpg,blue\n")
    assert [one.file.name for one in layout.train] == ["a/1.jpg", "b/3.jpg"]
    assert [(one.file.name, one.reason) for one in layout.quarantine] == [
        ("9.jpg", "not there, or no image by name and content (labels.csv, line 3)"),
        ("2.jpg", "no label in colour (labels.csv, line 4)"),
    ]


def test_images_that_no_row_names_are_told(tmp_path: Path) -> None:
    assert read(tmp_path, "file,colour\na/1.jpg,red\n").notes == (
        "not used, since no row names them: 2 images (a/2.jpg, b/3.jpg)",
    )


def test_names_match_whichever_way_accents_are_written(tmp_path: Path) -> None:
    on_disk = unicodedata.normalize("NFD", "größe/é.jpg")
    layout = read(tmp_path, "file,colour\ngröße/é.jpg,red\n", (on_disk,))
    assert [one.file.name for one in layout.train] == [on_disk]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,colour\na/1.jpg,red\n", r"has no column file; its first line names name, colour"),
        ("", r"has no column file, colour; its first line names none"),
        ("file,colour\n../1.jpg,red\n", r":2: '\.\./1\.jpg' leads out of the folder"),
        ("file,colour\n/etc/1.jpg,red\n", r":2: '/etc/1\.jpg' leads out of the folder"),
        ("file,colour\na/1.jpg,red\na/1.jpg,blue\n", r":3: 'a/1\.jpg' stands in line 2 already"),
        ('file,colour\n"a/1.jpg,red\n', r"not a CSV table"),
        ("file,colour\nx.jpg,red\n", r"names no image to train on"),
    ],
)
def test_what_is_no_table_of_these_images_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ImgclfError, match=message):
        read(tmp_path, text)


def test_a_table_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(b"file,colour\n\xff,red\n")
    with pytest.raises(ImgclfError, match="cannot be read as text in UTF-8"):
        csv_layout(tmp_path / "labels.csv", Columns("file", ("colour",), None), Tree(tmp_path, (), (), ()))


def test_rows_without_a_file_name_are_quarantined(tmp_path: Path) -> None:
    layout = read(tmp_path, "file,colour\na/1.jpg,red\n,blue\n  ,blue\nb/3.jpg,blue\n")
    assert [one.file.name for one in layout.train] == ["a/1.jpg", "b/3.jpg"]
    assert [one.reason for one in layout.quarantine] == [
        "no file name (labels.csv, line 3)", "no file name (labels.csv, line 4)"
    ]  # fmt: skip


def test_what_has_no_label_is_no_unreadable_file(tmp_path: Path) -> None:
    layout = read(tmp_path, "file,colour\na/1.jpg,red\n,blue\na/2.jpg,\na/9.jpg,red\n")
    assert [one.kind for one in layout.quarantine] == ["label", "label", "file"]


def test_two_files_that_are_one_name_are_refused(tmp_path: Path) -> None:
    names = tuple(unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD"))
    with pytest.raises(ImgclfError, match=r"two files have the name 'é\.jpg'"):
        read(tmp_path, "file,colour\né.jpg,red\n", names)


def test_two_columns_of_one_name_are_refused_where_they_are_read(tmp_path: Path) -> None:
    with pytest.raises(ImgclfError, match="has more than one column colour"):
        read(tmp_path, "file,colour,colour\na/1.jpg,red,blue\n")
    layout = read(tmp_path, "file,note,colour,note\na/1.jpg,x,red,y\n")
    assert [one.classes for one in layout.train] == [("red",)]


@pytest.mark.parametrize(("surplus", "is_refused"), [(", NY", True), (",", False), (", ,", False)])
def test_more_cells_than_columns_are_refused_unless_they_are_empty(
    surplus: str, is_refused: bool, tmp_path: Path
) -> None:
    text = f"file,colour\na/1.jpg,red{surplus}\na/2.jpg,blue\n"
    if is_refused:
        with pytest.raises(ImgclfError, match=r"labels\.csv:2: has more cells than the first line"):
            read(tmp_path, text)
    else:
        assert [one.classes for one in read(tmp_path, text).train] == [("red",), ("blue",)]
