from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgclf.datasets.cache.images import cached_images
from imgclf.datasets.folders.file_tree import folder_tree
from imgclf.feature_files import open_features
from imgclf.images.fit import ImageFit

Imgclf = Callable[..., Any]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    numbers = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for label in ("cat", "dog"):
        for number in range(6):
            pixels = numbers.integers(0, 256, (9, 9, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / f"{label}.{number}.png")
    return tmp_path / "photos"


def test_cats_and_dogs_are_prepared_and_counted(imgclf: Imgclf, photos: Path, tmp_path: Path) -> None:
    answer = imgclf("data", "prepare", "cats-vs-dogs", photos, tmp_path / "out", "--train", 4, "--test", 2)
    assert answer.status == 0
    assert answer.out.splitlines()[:3] == ["split  cat  dog", "train    4    4", "test     2    2"]
    assert str(tmp_path / "out" / "files.csv") in answer.out
    again = imgclf("data", "prepare", "cats-vs-dogs", photos, tmp_path / "out")
    assert again.status == 2
    assert "is no empty folder" in again.err


def test_a_check_lists_all_unreadable_files_also_where_no_run_would_start(
    imgclf: Imgclf, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    broken = [photos / f"cat.{number}.png" for number in (7, 8, 9)]
    for number, file in enumerate(broken):
        file.write_bytes((photos / "cat.0.png").read_bytes()[: 60 + number])
    config = tmp_path / "photos.yaml"
    config.write_text(f"dataset: {{name: image_folder, path: {photos}, validation_size: 0.2}}\nmodel: perceptron\n")
    refused = imgclf("train", config, "--runs-dir", tmp_path / "runs")
    assert refused.status == 2
    assert "3 of 15 files are unreadable, more than dataset.max_unreadable" in refused.err
    checked = imgclf("data", "check", config)
    assert checked.status == 1, checked.err
    assert "more than dataset.max_unreadable: no run starts" in checked.out
    assert "unreadable files: 3" in checked.out
    assert all(str(file) in checked.out for file in broken)


def test_a_check_tells_rows_without_a_label_from_unreadable_files(
    imgclf: Imgclf, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    rows = [f"{path.name},{path.name[:3] if path.name != 'cat.0.png' else ''}" for path in photos.glob("*.png")]
    (photos / "labels.csv").write_text("\n".join(["file,label", *rows]))
    config = tmp_path / "photos.yaml"
    config.write_text(
        f"dataset: {{name: image_folder, path: {photos}, csv: labels.csv, validation_size: 0.2}}\nmodel: perceptron\n"
    )
    checked = imgclf("data", "check", config)
    assert checked.status == 0, checked.err
    assert "unreadable files: 0" in checked.out
    assert f"without a label: 1\n  {photos / 'cat.0.png'}: no label in label" in checked.out
    assert "unlabelled" in imgclf("data", "show", config, "--save", tmp_path / "pictures").out


def test_the_file_of_labels_is_not_told_as_passed_over(
    imgclf: Imgclf, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    rows = [f"{path.name},{path.name[:3]}" for path in photos.glob("*.png")]
    (photos / "labels.csv").write_text("\n".join(["file,label", *rows]))
    config = tmp_path / "photos.yaml"
    config.write_text(f"dataset: {{name: image_folder, path: {photos}, csv: labels.csv}}\nmodel: perceptron\n")
    assert "passed over" not in imgclf("data", "show", config, "--save", tmp_path / "pictures").out
    (photos / "notes.csv").touch()
    shown = imgclf("data", "show", config, "--save", tmp_path / "pictures")
    assert "1 no image by name and content (notes.csv)" in shown.out


def test_characters_that_no_font_has_are_told_once(
    imgclf: Imgclf, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    for path in sorted(photos.glob("dog*")):
        path.rename(photos / path.name.replace("dog", "dog \U00012000"))  # cuneiform
    config = tmp_path / "photos.yaml"
    config.write_text(f"dataset: {{name: image_folder, path: {photos}, validation_size: 0}}\nmodel: perceptron\n")
    shown = imgclf("data", "show", config, "--save", tmp_path / "pictures")
    assert shown.status == 0
    assert shown.err.count("pictures show boxes for \U00012000: no font here has them") == 1


def test_the_cache_is_listed_and_cleared(
    imgclf: Imgclf, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    assert "no decoded images" in imgclf("data", "cache", "list").out
    files = folder_tree(photos).images
    cached_images(tmp_path / "cache", photos, files, ImageFit((9, 9), 3), lambda _what, _done, _total: None)
    assert str(photos) in imgclf("data", "cache", "list").out
    listed = json.loads(imgclf("data", "cache", "list", "--json").out)
    assert [(one["source"], one["images"], one["image_shape"]) for one in listed] == [(str(photos), 12, [9, 9, 3])]
    cleared = json.loads(imgclf("data", "cache", "clear", "--json").out)
    assert (cleared["removed"], cleared["busy"]) == (1, [])
    assert cleared["freed_bytes"] == listed[0]["size_bytes"]
    assert json.loads(imgclf("data", "cache", "list", "--json").out) == []
    assert "removed 0" in imgclf("data", "cache", "clear").out


def test_stored_features_are_listed_and_cleared_with_the_decoded_images(
    imgclf: Imgclf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache" / "features").mkdir(parents=True)
    np.save(tmp_path / "cache" / "features" / "abc.npy", np.zeros((5, 7), np.float32))
    (listed,) = json.loads(imgclf("data", "cache", "list", "--json").out)
    assert (listed["images"], listed["features"]) == (5, 7)
    assert "abc.npy" in imgclf("data", "cache", "list").out
    cleared = json.loads(imgclf("data", "cache", "clear", "--json").out)
    assert (cleared["removed"], cleared["freed_bytes"]) == (1, listed["size_bytes"])
    assert not list((tmp_path / "cache" / "features").iterdir())


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04 no archive", b"\x93NUMPY\x01\x00\x10\x00{'descr': (((((", b"\x93NUMPY", b"cut"],
    ids=repr,
)
def test_damaged_features_are_listed_and_cleared_too(
    content: bytes, imgclf: Imgclf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    file = tmp_path / "cache" / "features" / "abc.npy"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(ValueError, match="damaged: "):
        open_features(file)
    (listed,) = json.loads(imgclf("data", "cache", "list", "--json").out)
    assert (listed["images"], listed["features"], listed["size_bytes"]) == (0, 0, len(content))
    assert json.loads(imgclf("data", "cache", "clear", "--json").out)["removed"] == 1
    assert not file.exists()


def test_images_without_a_label_are_told_where_they_are_left_out_of_an_export(
    imgclf: Imgclf, photos: Path, tmp_path: Path
) -> None:
    rows = [f"{path.name},{path.name.split('.')[0]}" for path in sorted(photos.iterdir())]
    (photos / "labels.csv").write_text("\n".join(["file,label", *rows[:-1], "dog.5.png,"]))
    config = tmp_path / "mine.yaml"
    config.write_text(f"dataset: {{name: image_folder, path: {photos}, csv: labels.csv}}\nmodel: lenet\n")
    answer = imgclf("data", "export", config, tmp_path / "out.npz")
    assert answer.status == 0, answer.err
    assert "1 image without a label is left out, the first:" in answer.err
    assert "dog.5.png: no label in label (labels.csv, line 13)" in answer.err


def test_a_file_whose_name_is_no_text_is_drawn_in_the_picture_of_duplicates(
    imgclf: Imgclf, photos: Path, tmp_path: Path
) -> None:
    try:
        shutil.copy(photos / "cat.0.png", photos / os.fsdecode(b"cat.\xe9.png"))
    except OSError:
        pytest.skip("this file system takes only names that are UTF-8")
    config = tmp_path / "mine.yaml"
    config.write_text(f"dataset: {{name: image_folder, path: {photos}}}\nmodel: lenet\n")
    answer = imgclf("data", "check", config, "--save", tmp_path / "pictures")
    assert answer.status in (0, 1), answer.err
    assert "cat.\\xe9.png" in answer.out
    assert list((tmp_path / "pictures").glob("*.png"))
