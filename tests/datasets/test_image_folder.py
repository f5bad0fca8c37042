from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from imgclf.datasets.base import DataPlaces, Split, Splits, file_behind
from imgclf.datasets.image_folder import ImageFolder
from imgclf.errors import ImgclfError, WorkFailed
from imgclf.images.fit import ImageFit

WriteImage = Callable[..., Path]


@pytest.fixture
def photos(tmp_path: Path, write_image: WriteImage) -> Path:
    """Ten images of each of two classes, in a folder a class."""
    for number in range(10):
        write_image(tmp_path / "photos" / "cat" / f"{number}.png", number)
        write_image(tmp_path / "photos" / "dog" / f"{number}.png", 100 + number)
    return tmp_path / "photos"


def load(
    path: Path | str, tmp_path: Path, *, fit: ImageFit | None = None, cached: bool = True, **settings: Any
) -> Splits:
    dataset = ImageFolder(name="image_folder", path=str(path), **settings)
    cache = tmp_path / "cache" if cached else None
    return dataset.load(DataPlaces(tmp_path / "data", fit=fit or ImageFit(), cache_dir=cache), seed=1)


def names(split: Split | None) -> list[str]:
    """The file behind each image, as folder/name."""
    assert split is not None
    files = [file_behind(split.pixels, index) for index in range(len(split))]
    return ["/".join(Path(file or "").parts[-2:]) for file in files]


def labels_by_name(splits: Splits) -> dict[str, int]:
    parts = (splits.train, splits.validation, splits.load_test())
    return {
        name: int(label) for part in parts if part for name, label in zip(names(part), part.labels[:, 0], strict=True)
    }


def test_every_image_has_the_label_and_the_pixels_of_its_own_file(photos: Path, tmp_path: Path) -> None:
    splits = load(photos, tmp_path)
    assert splits.targets[0].class_names == ("cat", "dog")
    assert (len(splits.train), len(splits.validation or ()), splits.test_images) == (14, 2, 4)
    assert labels_by_name(splits) == {
        f"{one}/{n}.png": label for label, one in enumerate(("cat", "dog")) for n in range(10)
    }
    for part in (splits.train, splits.validation, splits.load_test()):
        assert part is not None
        for index, image in enumerate(part.pixels.take(np.arange(len(part)))):
            assert np.array_equal(image, np.asarray(Image.open(file_behind(part.pixels, index) or "")))


def test_the_note_names_the_place_and_the_layout(photos: Path, tmp_path: Path) -> None:
    assert load(photos, tmp_path).notes[0] == f"image_folder from {photos}: one folder per class"


def test_a_relative_path_is_looked_for_here_and_then_in_the_data_folder(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(photos, tmp_path / "data" / "photos")
    assert f"{photos}:" in load("photos", tmp_path).notes[0]
    shutil.rmtree(photos)
    assert f"{tmp_path / 'data' / 'photos'}:" in load("photos", tmp_path).notes[0]
    with pytest.raises(
        ImgclfError, match=r"dataset\.path: there is no .* fotos\n.*/fotos: not there\n.*/data/fotos: not"
    ):
        load("fotos", tmp_path)


def test_split_folders_are_taken_as_they_are(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "split"
    for split in ("train", "val", "test"):
        shutil.copytree(photos, root / split)
    splits = load(root, tmp_path)
    assert (len(splits.train), len(splits.validation or ()), splits.test_images) == (20, 20, 20)
    assert file_behind(splits.load_test().pixels, 0) == str(root / "test" / "cat" / "0.png")


def test_paths_of_their_own_for_validation_and_test(photos: Path, tmp_path: Path, write_image: WriteImage) -> None:
    for number in range(3):
        write_image(tmp_path / "extra" / f"cat.{number}.png", 200 + number)
        write_image(tmp_path / "extra" / f"dog.{number}.png", 300 + number)
    splits = load(photos, tmp_path, test_path=str(tmp_path / "extra"), validation_path=str(tmp_path / "extra"))
    assert (len(splits.train), len(splits.validation or ()), splits.test_images) == (20, 6, 6)
    assert splits.load_test().labels[:, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert any("test from" in note and "flat names" in note for note in splits.notes)


@pytest.mark.parametrize("key", ["test_path", "validation_path"])
@pytest.mark.parametrize("inner", [".", "holdout"])
def test_files_that_are_trained_on_are_not_judged_on(
    key: str, inner: str, photos: Path, tmp_path: Path, write_image: WriteImage
) -> None:
    for name in ("cat", "dog"):
        write_image(photos / "holdout" / f"{name}.1.png", 200)
    path = photos / inner if inner != "." else photos / ".." / "photos"
    with pytest.raises(ImgclfError, match=rf"dataset\.{key}: the .* images must be others than the training"):
        load(photos, tmp_path, **{key: str(path)}, classes=None if inner == "holdout" else ("cat", "dog"))


def test_a_name_of_bytes_that_are_no_text_is_a_class_with_a_name_for_every_text(photos: Path, tmp_path: Path) -> None:
    try:
        (photos / "cat").rename(photos / os.fsdecode(b"caf\xe9"))
    except OSError:
        pytest.skip("this file system takes only names that are UTF-8")
    splits = load(photos, tmp_path)
    assert splits.targets[0].class_names == ("caf\\xe9", "dog")
    assert len(splits.train) + len(splits.validation or ()) + splits.test_images == 20


def test_a_limit_does_not_refuse_what_is_accepted_without_it(photos: Path, tmp_path: Path) -> None:
    rows = [f"{path.relative_to(photos)},{path.parent.name}" for path in photos.rglob("*.png")]
    (photos / "labels.csv").write_text("\n".join(["file,label", *rows, "gone.png,cat"]))
    for limit in (None, 4):
        splits = load(photos, tmp_path, csv="labels.csv", max_unreadable=0.05, limit_per_class=limit)
        assert [one.file.name for one in splits.unreadable()] == ["gone.png"]
    with pytest.raises(ImgclfError, match="1 of 21 files are unreadable"):
        load(photos, tmp_path, csv="labels.csv", max_unreadable=0.04, limit_per_class=4)


def test_listed_classes_leave_no_classes_of_their_images_in_other_columns(photos: Path, tmp_path: Path) -> None:
    rows = [f"{path.relative_to(photos)},{path.parent.name},{path.stem[0]}" for path in photos.rglob("*.png")]
    cows = [f"cat/{number}.png,cow,purple" for number in range(3)]
    (photos / "labels.csv").write_text("\n".join(["file,kind,colour", *(row for row in rows if row[:5] not in {
        "cat/0", "cat/1", "cat/2"}), *cows]))  # fmt: skip
    splits = load(photos, tmp_path, csv="labels.csv", label_columns=("kind", "colour"), classes=("dog", "cat"))
    assert splits.targets[0].class_names == ("dog", "cat")
    assert "purple" not in splits.targets[1].class_names


def test_an_archive_gives_the_same_as_the_folder_that_it_packs(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "kaggle").mkdir()
    with zipfile.ZipFile(tmp_path / "kaggle" / "train.zip", "w") as archive:
        for path in photos.rglob("*.png"):
            archive.write(path, f"train/{path.parent.name}.{path.name}")
    flat = tmp_path / "flat"
    for path in photos.rglob("*.png"):
        flat.mkdir(exist_ok=True)
        shutil.copy(path, flat / f"{path.parent.name}.{path.name}")
    packed, unpacked = load(tmp_path / "kaggle", tmp_path), load(flat, tmp_path)
    assert packed.fingerprint == unpacked.fingerprint
    assert "train/ with flat names" in packed.notes[0]
    assert sorted(path.name for path in (tmp_path / "kaggle").iterdir()) == ["train.zip"]


@pytest.mark.parametrize("inner", ["photos", "photos/train"])
def test_an_archive_of_a_folder_holds_what_lies_in_that_folder(inner: str, photos: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("__MACOSX/", "")
        for path in photos.rglob("*.png"):
            archive.write(path, f"{inner}/{path.relative_to(photos)}")
    splits = load(tmp_path / "photos.zip", tmp_path)
    assert splits.targets[0].class_names == ("cat", "dog")
    assert splits.fingerprint == load(photos, tmp_path).fingerprint
    assert not [note for note in splits.notes if "MACOSX" in note]


def test_label_columns_are_targets_of_their_own(photos: Path, tmp_path: Path) -> None:
    rows = [f"{path.relative_to(photos)},{path.parent.name},{int(path.stem) % 2}" for path in photos.rglob("*.png")]
    (photos / "labels.csv").write_text("\n".join(["image,animal,odd", *rows]))
    splits = load(photos, tmp_path, csv="labels.csv", file_column="image", label_columns=("animal", "odd"))
    assert [(target.name, target.class_names) for target in splits.targets] == [
        ("animal", ("cat", "dog")), ("odd", ("0", "1"))
    ]  # fmt: skip
    assert splits.train.labels.shape == (14, 2)
    for name, labels in zip(names(splits.train), splits.train.labels.tolist(), strict=True):
        assert labels == [int(name.startswith("dog")), int(Path(name).stem) % 2]


def test_listed_classes_give_the_order_and_others_are_told(
    photos: Path, tmp_path: Path, write_image: WriteImage
) -> None:
    write_image(photos / "fox" / "0.png")
    (photos / "owl").mkdir()
    splits = load(photos, tmp_path, classes=("dog", "cat"))
    assert splits.targets[0].class_names == ("dog", "cat")
    assert labels_by_name(splits)["dog/0.png"] == 0
    assert "not used, since dataset.classes does not list it: fox (1 images)" in splits.notes
    assert "without any image, so no class: owl" in splits.notes


@pytest.mark.parametrize("missing", ["fox", "owl"])
def test_a_listed_class_without_images_is_a_mistake(photos: Path, tmp_path: Path, missing: str) -> None:
    (photos / "owl").mkdir()
    with pytest.raises(ImgclfError, match=rf"dataset\.classes: {missing}: no training images") as caught:
        load(photos, tmp_path, classes=("dog", missing))
    assert caught.value.hint == "There are: cat, dog."


def test_classes_listed_twice_are_a_mistake_of_the_file() -> None:
    with pytest.raises(ValidationError, match="must be different names; got 'cat' twice"):
        ImageFolder(name="image_folder", path="x", classes=("cat", "cat"))


def test_a_class_that_only_the_test_has_is_an_error(photos: Path, tmp_path: Path, write_image: WriteImage) -> None:
    shutil.copytree(photos, tmp_path / "split" / "train")
    write_image(tmp_path / "split" / "test" / "fox" / "0.png")
    with pytest.raises(ImgclfError, match=r"fox/0\.png: a test image of label 'fox', which no training image has"):
        load(tmp_path / "split", tmp_path)


def test_class_names_may_be_of_any_script(photos: Path, tmp_path: Path) -> None:
    (photos / "cat").rename(photos / "猫")
    (photos / "dog").rename(photos / "Hündchen 1")
    assert load(photos, tmp_path).targets[0].class_names == ("Hündchen 1", "猫")


def test_unreadable_files_are_left_out_and_listed(photos: Path, tmp_path: Path) -> None:
    before = load(photos, tmp_path)
    (photos / "cat" / "3.png").write_bytes((photos / "cat" / "3.png").read_bytes()[:100])
    (photos / "dog" / "4.png").write_text("no image")
    splits = load(photos, tmp_path, max_unreadable=0.1)
    assert [one.file for one in splits.quarantine] == [photos / "cat" / "3.png", photos / "dog" / "4.png"]
    assert "not an image" in splits.quarantine[1].reason
    kept = labels_by_name(splits)
    assert len(kept) == 18
    assert not {"cat/3.png", "dog/4.png"} & kept.keys()
    assert splits.fingerprint != before.fingerprint


def test_with_too_many_unreadable_files_no_run_starts(photos: Path, tmp_path: Path) -> None:
    for number in range(7):
        (photos / "cat" / f"{number}.png").write_bytes(b"")
    with pytest.raises(ImgclfError, match=r"7 of 20 files are unreadable, more than dataset\.max_unreadable") as caught:
        load(photos, tmp_path)
    assert "cat/0.png: empty file" in str(caught.value)
    assert "and 2 more" in str(caught.value)
    assert "imgclf data check" in str(caught.value.hint)
    assert (photos / "cat" / "0.png").exists()


def test_sizes_that_differ_ask_for_a_size(photos: Path, tmp_path: Path, write_image: WriteImage) -> None:
    write_image(photos / "cat" / "99.png", size=(20, 30))
    with pytest.raises(ImgclfError, match=r"2 sizes, such as 20 of 12x10 .* and others of 20x30") as caught:
        load(photos, tmp_path)
    assert "preprocessing.size" in str(caught.value.hint)
    assert load(photos, tmp_path, fit=ImageFit((8, 9))).train.pixels.image_shape == (8, 9, 3)


def test_channels_are_one_only_where_every_file_is_grey(photos: Path, tmp_path: Path, write_image: WriteImage) -> None:
    for path in photos.rglob("*.png"):
        write_image(path, mode="L")
    assert load(photos, tmp_path).train.pixels.image_shape == (12, 10, 1)
    assert load(photos, tmp_path, fit=ImageFit(channels=3)).train.pixels.image_shape == (12, 10, 3)
    write_image(photos / "dog" / "9.png", mode="RGB")
    assert load(photos, tmp_path).train.pixels.image_shape == (12, 10, 3)


def test_streamed_images_are_those_of_the_cache(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (photos / "cat" / "3.png").write_bytes(b"")
    cached = load(photos, tmp_path, max_unreadable=0.1)

    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10_000))
    other_entry = ImageFit((12, 10), 3, resize="crop")  # of images that have the size already: the same pixels
    streamed = load(photos, tmp_path, max_unreadable=0.1, fit=other_entry)
    assert any("decoded anew whenever they are needed" in note and "disk has" in note for note in streamed.notes)
    assert streamed.fingerprint == cached.fingerprint
    assert streamed.quarantine == cached.quarantine
    indices = np.array([5, 0, 5])
    assert np.array_equal(streamed.train.pixels.take(indices), cached.train.pixels.take(indices))


def test_a_file_that_is_gone_when_it_is_streamed_stops_the_run(photos: Path, tmp_path: Path) -> None:
    splits = load(photos, tmp_path, cached=False)
    Path(file_behind(splits.train.pixels, 0) or "").unlink()
    with pytest.raises(WorkFailed, match="could be read when the run started, and cannot now"):
        splits.train.pixels.take(np.array([0]))


def test_a_limit_decodes_no_more_than_it_needs(photos: Path, tmp_path: Path) -> None:
    splits = load(photos, tmp_path, limit_per_class=3, validation_size=2, test_size=0.3)
    assert (len(splits.train), len(splits.validation or ()), splits.test_images) == (4, 2, 6)
    manifest = next((tmp_path / "cache" / "images").glob("*/manifest.json")).read_text()
    assert '"images": 12' in manifest


def test_the_test_images_depend_on_their_own_seed_alone(photos: Path, tmp_path: Path) -> None:
    one, other = load(photos, tmp_path), load(photos, tmp_path, test_seed=1)
    assert names(one.load_test()) == names(load(photos, tmp_path, validation_size=5).load_test())
    assert names(one.load_test()) != names(other.load_test())


@pytest.mark.parametrize("size", [20, 25])
def test_a_test_size_that_leaves_nothing_names_its_key(photos: Path, tmp_path: Path, size: int) -> None:
    with pytest.raises(ImgclfError, match=r"dataset\.test_size: must leave images to train on"):
        load(photos, tmp_path, test_size=size)


def test_one_class_is_no_data_set(photos: Path, tmp_path: Path) -> None:
    shutil.rmtree(photos / "dog")
    with pytest.raises(ImgclfError, match="label: must have at least two classes; found cat"):
        load(photos, tmp_path)


def test_what_is_passed_over_is_told(photos: Path, tmp_path: Path) -> None:
    (photos / "readme.txt").write_text("hello")
    (photos / "cat" / "Thumbs.db").write_bytes(b"\0")
    note = next(note for note in load(photos, tmp_path).notes if "passed over" in note)
    assert "1 hidden (cat/Thumbs.db)" in note
    assert "1 no image by name and content (readme.txt)" in note


@pytest.mark.parametrize("setting", ["path", "test_path", "csv"])
def test_a_path_that_no_file_can_have_is_an_error(photos: Path, tmp_path: Path, setting: str) -> None:
    settings = {"path": str(photos)} | {setting: "x" * 300}
    with pytest.raises(ImgclfError, match=rf"dataset\.{setting}: there is no .*\n.*: cannot be reached: File name too"):
        load(settings.pop("path"), tmp_path, **settings)


@pytest.mark.parametrize("fit", [ImageFit(), ImageFit((12, 10), 3)])
def test_where_no_file_can_be_read_twenty_are_named(photos: Path, tmp_path: Path, fit: ImageFit) -> None:
    for number in range(10, 23):
        shutil.copy(photos / "cat" / "0.png", photos / "cat" / f"{number}.png")
    for path in photos.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(ImgclfError, match=r"none of the image files|no readable images") as caught:
        load(photos, tmp_path, fit=fit, max_unreadable=1)
    text = str(caught.value)
    assert text.count("empty file") == 20
    assert " 33:" in text
    assert "and 13 more" in text


def test_rows_without_a_label_are_no_unreadable_files(photos: Path, tmp_path: Path) -> None:
    files = sorted(photos.rglob("*.png"))
    rows = [f"{path.relative_to(photos)},{path.parent.name if number % 4 else ''}" for number, path in enumerate(files)]
    (photos / "labels.csv").write_text("\n".join(["file,label", *rows]))
    splits = load(photos, tmp_path, csv="labels.csv", max_unreadable=0)
    assert [one.file for one in splits.unlabelled()] == files[::4]
    assert splits.unreadable() == ()
