from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from imgclf.datasets.base import DataPlaces, Splits
from imgclf.datasets.quickdraw import QuickDraw
from imgclf.errors import ImgclfError

# Every drawing tells where it comes from: its first two bytes are its number, the third its class.
CLASSES = ("alarm clock", "bird", "cat")
FILES = ("full_numpy_bitmap_alarm clock.npy", "bird.npy", "full_numpy_bitmap_cat.npy")


def drawings(label: int, count: int) -> NDArray[np.uint8]:
    images = np.random.default_rng(label).integers(0, 256, (count, 784), np.uint8)
    images[:, 0], images[:, 1], images[:, 2] = np.arange(count) // 256, np.arange(count) % 256, label
    return images


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "quickdraw"
    folder.mkdir(parents=True)
    for label, (name, count) in enumerate(zip(FILES, (300, 200, 500), strict=True)):
        np.save(folder / name, drawings(label, count))
    return folder.parent


def load(data_dir: Path, seed: int = 0, **settings: Any) -> Splits:
    return QuickDraw(name="quickdraw", **settings).load(DataPlaces(data_dir), seed)


def everything(splits: Splits) -> list[NDArray[np.uint8]]:
    """The images of training, validation and test."""
    parts = [splits.train, splits.validation, splits.load_test()]
    return [part.pixels.take(np.arange(len(part))) for part in parts if part is not None]


def test_each_drawing_is_in_one_split_with_the_label_of_its_file(data_dir: Path) -> None:
    splits = load(data_dir)
    assert splits.targets[0].class_names == CLASSES
    written, found = [drawings(0, 300), drawings(1, 200), drawings(2, 500)], []
    for split in (splits.train, splits.validation, splits.load_test()):
        assert split is not None
        images = split.pixels.take(np.arange(len(split)))
        assert images.dtype == split.pixels.dtype == np.uint8
        assert images.shape[1:] == split.pixels.image_shape == (28, 28, 1)
        for image, label in zip(images, split.labels[:, 0], strict=True):
            number = int(image.flat[0]) * 256 + int(image.flat[1])
            assert np.array_equal(image.reshape(784), written[label][number])
            found.append((int(label), number))
    assert len(set(found)) == len(found) == 1000


def test_a_fifth_is_the_test_and_a_tenth_of_the_rest_validation_with_the_classes_in_proportion(data_dir: Path) -> None:
    splits = load(data_dir)
    test = splits.load_test()
    assert splits.validation is not None
    assert np.bincount(test.labels[:, 0]).tolist() == [60, 40, 100]
    assert np.bincount(splits.validation.labels[:, 0]).tolist() == [24, 16, 40]
    assert np.bincount(splits.train.labels[:, 0]).tolist() == [216, 144, 360]
    assert splits.test_images == 200


def test_seeds_share_the_test_images_and_the_fingerprint_but_not_the_validation_images(data_dir: Path) -> None:
    first, second = load(data_dir, seed=0), load(data_dir, seed=1)
    (_, validation, test), (_, other_validation, same_test) = everything(first), everything(second)
    assert np.array_equal(test, same_test)
    assert first.fingerprint == second.fingerprint
    assert not np.array_equal(validation, other_validation)
    assert not np.array_equal(test, everything(load(data_dir, test_seed=1))[2])


def test_images_are_taken_in_the_order_asked_for_across_files(data_dir: Path) -> None:
    pixels = load(data_dir).train.pixels
    one_by_one = [pixels.take(np.array([position]))[0] for position in (719, 0, 300, 0, 150)]
    assert np.array_equal(pixels.take(np.array([719, 0, 300, 0, 150])), np.stack(one_by_one))
    assert pixels.take(np.array([], np.int64)).shape == (0, 28, 28, 1)


def test_listed_classes_have_labels_in_the_order_of_the_list(data_dir: Path) -> None:
    splits = load(data_dir, classes=("cat", "alarm clock"))
    assert splits.targets[0].class_names == ("cat", "alarm clock")
    for images, split in zip(everything(splits), (splits.train, splits.validation, splits.load_test()), strict=True):
        assert split is not None
        assert np.array_equal(np.where(split.labels[:, 0] == 0, 2, 0), images[:, 0, 2, 0])


def test_images_per_class_takes_the_first_ones_and_says_where_there_are_fewer(data_dir: Path) -> None:
    splits = load(data_dir, images_per_class=250)
    numbers = np.concatenate([images[:, 0, 0, 0] * np.int64(256) + images[:, 0, 1, 0] for images in everything(splits)])
    assert len(numbers) == 250 + 200 + 250
    assert numbers.max() < 250
    assert splits.notes[1] == (
        "Quick Draw: fewer drawings than images_per_class, 250, are there of bird 200: all are used"
    )
    assert len(load(data_dir).notes) == 1


def test_the_working_directory_comes_before_the_data_folder_and_the_note_names_the_place(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(data_dir).notes[0] == f"Quick Draw from {data_dir}/quickdraw: {', '.join(FILES)}"
    (data_dir / "quickdraw").rename(tmp_path / "quickdraw")
    assert load(data_dir).notes[0] == f"Quick Draw from {tmp_path}/quickdraw: {', '.join(FILES)}"


def test_a_missing_folder_is_told_with_every_place_and_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sketches").touch()
    with pytest.raises(ImgclfError, match="there is no folder sketches") as caught:
        load(tmp_path / "data", path="sketches")
    assert f"looked at {tmp_path}/sketches: not there" in str(caught.value)
    assert f"looked at {tmp_path}/data/sketches: file" in str(caught.value)
    assert "imgclf data download quickdraw" in str(caught.value.hint)


def test_an_unknown_class_is_told_with_the_nearest_and_with_what_is_there(data_dir: Path) -> None:
    with pytest.raises(ImgclfError, match="there is no class 'alarm_clok'; did you mean 'alarm clock'") as caught:
        load(data_dir, classes=("cat", "alarm_clok"))
    assert "holds alarm clock, bird, cat" in str(caught.value.hint)


def test_a_class_that_is_listed_twice_or_alone_is_refused() -> None:
    with pytest.raises(ValidationError, match='"cat" stands there twice'):
        QuickDraw(name="quickdraw", classes=("cat", "dog", "cat"))
    with pytest.raises(ValidationError, match="at least 2"):
        QuickDraw(name="quickdraw", classes=("cat",))


def test_two_files_of_one_class_an_empty_folder_and_a_single_class_are_refused(data_dir: Path, tmp_path: Path) -> None:
    np.save(data_dir / "quickdraw" / "cat.npy", drawings(2, 5))
    with pytest.raises(ImgclfError, match=r"one file a class; got cat.npy and full_numpy_bitmap_cat.npy"):
        load(data_dir)
    (tmp_path / "few").mkdir()
    with pytest.raises(ImgclfError, match=r"few: holds no .npy file"):
        load(data_dir, path=str(tmp_path / "few"))
    np.save(tmp_path / "few" / "cat.npy", drawings(2, 5))
    with pytest.raises(ImgclfError, match=r"must hold two classes or more; got cat.npy"):
        load(data_dir, path=str(tmp_path / "few"))


def test_hidden_files_are_no_classes(data_dir: Path) -> None:
    (data_dir / "quickdraw" / "._dog.npy").write_bytes(b"what another system leaves")
    assert load(data_dir).targets[0].class_names == CLASSES


def test_images_of_three_dimensions_are_the_same_as_rows_of_784(data_dir: Path) -> None:
    before = everything(load(data_dir))
    np.save(data_dir / "quickdraw" / "bird.npy", drawings(1, 200).reshape(200, 28, 28))
    assert all(map(np.array_equal, before, everything(load(data_dir))))


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.zeros((9, 784), np.float32), r"must hold uint8 .*got float32 \(9, 784\)"),
        (np.zeros((9, 783), np.uint8), r"must hold uint8 .*got uint8 \(9, 783\)"),
        (np.zeros((28, 28), np.uint8), r"must hold uint8 .*got uint8 \(28, 28\)"),
        (np.zeros((0, 784), np.uint8), "holds no drawing"),
        (np.zeros((784, 9), np.uint8).T, "must hold numbers in C order; got uint8 in Fortran order"),
        (np.array([[{}] * 784]), "must hold numbers in C order; got object"),
    ],
)
def test_arrays_that_are_no_drawings_are_refused(data_dir: Path, array: NDArray[Any], problem: str) -> None:
    np.save(data_dir / "quickdraw" / "bird.npy", array)
    with pytest.raises(ImgclfError, match=problem):
        load(data_dir)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda content: content[:-1], "must have 156,928 bytes .* got 156,927"),
        (lambda content: content + b"x", "must have 156,928 bytes .* got 156,929"),
        (lambda content: content.replace(b"(200, 784)", b"(999999999999, 784)"), "not a numpy array|must have"),
        (lambda content: b"PK" + content[2:], "not a numpy array"),
        (lambda content: content[:50], "not a numpy array"),
        (lambda content: b"", "not a numpy array"),  # noqa: ARG005
        (lambda content: content[:6] + b"\x03\x00" + content[8:], "not a numpy array: version"),
    ],
)
def test_damaged_files_are_refused(data_dir: Path, change: Any, problem: str) -> None:
    path = data_dir / "quickdraw" / "bird.npy"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ImgclfError, match=problem):
        load(data_dir)


def test_a_size_of_the_test_split_that_cannot_be_is_refused(data_dir: Path) -> None:
    with pytest.raises(
        ImgclfError, match=r"dataset.test_size: must leave images to train on; got 1000 of 1,000 images"
    ):
        load(data_dir, test_size=1000)
