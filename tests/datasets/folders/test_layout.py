from __future__ import annotations

import time
from pathlib import Path

import pytest

from imgclf.datasets.folders.file_tree import ON_DISK, ImageFile, Tree, in_order
from imgclf.datasets.folders.layout import LabelledFile, find_layout, flat_class
from imgclf.errors import ImgclfError


def tree(*names: str, folders: tuple[str, ...] = ()) -> Tree:
    root = Path("photos")
    return Tree(root, in_order(ImageFile(name, root / name, (0, 0), ON_DISK) for name in names), folders, ())


def classes(files: tuple[LabelledFile, ...] | None) -> dict[str, str]:
    assert files is not None
    return {one.file.name: one.classes[0] for one in files}


def test_a_folder_is_a_class_with_all_that_lies_below_it() -> None:
    layout = find_layout(tree("cat/1.jpg", "cat/old/2.jpg", "dog/1.jpg"))
    assert layout.title == "one folder per class"
    assert classes(layout.train) == {"cat/1.jpg": "cat", "cat/old/2.jpg": "cat", "dog/1.jpg": "dog"}
    assert layout.validation is None
    assert layout.test is None


def test_flat_names_tell_the_class_before_the_first_dot() -> None:
    layout = find_layout(tree("cat.0.jpg", "dog.0.jpg", "dog.1.x.jpg"))
    assert classes(layout.train) == {"cat.0.jpg": "cat", "dog.0.jpg": "dog", "dog.1.x.jpg": "dog"}


@pytest.mark.parametrize(("name", "expected"), [("cat.0.jpg", "cat"), ("1.jpg", None), (".0.jpg", None), ("a", None)])
def test_the_class_in_a_flat_name(name: str, expected: str | None) -> None:
    assert flat_class(name) == expected


@pytest.mark.parametrize("validation", ["validation", "val", "valid"])
def test_split_folders_stand_above_class_folders(validation: str) -> None:
    layout = find_layout(tree("train/cat/1.jpg", "train/dog/1.jpg", f"{validation}/cat/1.jpg", "test/dog/1.jpg"))
    assert classes(layout.train) == {"train/cat/1.jpg": "cat", "train/dog/1.jpg": "dog"}
    assert classes(layout.validation) == {f"{validation}/cat/1.jpg": "cat"}
    assert classes(layout.test) == {"test/dog/1.jpg": "dog"}


def test_split_folders_stand_above_flat_names_and_other_folders_are_told() -> None:
    layout = find_layout(tree("train/cat.0.jpg", "train/dog.0.jpg", "extra/cat.1.jpg"))
    assert classes(layout.train) == {"train/cat.0.jpg": "cat", "train/dog.0.jpg": "dog"}
    assert layout.test is None
    assert layout.notes == ("not used, since it lies in no split's folder: extra/cat.1.jpg",)


def test_a_class_may_be_called_train() -> None:
    layout = find_layout(tree("bus/1.jpg", "car/1.jpg", "train/1.jpg", "train/2.jpg"))
    assert set(classes(layout.train).values()) == {"bus", "car", "train"}


def test_images_beside_class_folders_are_told() -> None:
    layout = find_layout(tree("cat/1.jpg", "dog/1.jpg", "overview.png"))
    assert "overview.png" not in classes(layout.train)
    assert layout.notes == ("not used, since it lies beside the class folders: overview.png",)


def test_a_folder_without_images_is_told_and_no_class() -> None:
    layout = find_layout(tree("cat/1.jpg", "dog/1.jpg", folders=("cat", "dog", "fox")))
    assert layout.empty_classes == ("fox",)


def test_a_name_that_tells_no_class_is_an_error_that_names_the_layouts() -> None:
    with pytest.raises(ImgclfError, match=r"photos: '1\.jpg' does not tell its class") as caught:
        find_layout(tree("1.jpg", "2.jpg"))
    assert "one folder per class" in str(caught.value.hint)


def test_two_folders_of_one_split_are_an_error() -> None:
    with pytest.raises(ImgclfError, match="two of its folders are the same split: train, val, validation"):
        find_layout(tree("train/cat/1.jpg", "train/dog/1.jpg", "val/cat/1.jpg", "validation/cat/1.jpg"))


def test_a_folder_without_images_is_an_error() -> None:
    with pytest.raises(ImgclfError, match="photos: holds no image files"):
        find_layout(tree())


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("training_set", "validation_set", "test_set"),
        ("TrainingSet", "ValidSet", "TestSet"),
        ("train-images", "val-images", "testing data"),
    ],
)
def test_usual_names_of_split_folders_are_known(train: str, validation: str, test: str) -> None:
    layout = find_layout(
        tree(f"{train}/cat/1.jpg", f"{train}/dog/2.jpg", f"{validation}/cat/3.jpg", f"{test}/dog/4.jpg")
    )
    assert classes(layout.train) == {f"{train}/cat/1.jpg": "cat", f"{train}/dog/2.jpg": "dog"}
    assert classes(layout.validation) == {f"{validation}/cat/3.jpg": "cat"}
    assert classes(layout.test) == {f"{test}/dog/4.jpg": "dog"}


def test_a_split_folder_may_lie_in_one_of_its_own_name() -> None:
    layout = find_layout(tree("training_set/training_set/cat/1.jpg", "training_set/training_set/dog/1.jpg"))
    assert set(classes(layout.train).values()) == {"cat", "dog"}


@pytest.mark.parametrize("beside", ["test", "val", "Test_Set"])
def test_a_split_without_a_training_folder_is_no_class(beside: str) -> None:
    names = ("cat/1.jpg", "dog/1.jpg", f"{beside}/1.jpg")
    with pytest.raises(ImgclfError, match=f"{beside} has the name of a split, and no folder is the training") as caught:
        find_layout(tree(*names))
    assert "dataset.classes" in str(caught.value.hint)
    assert set(classes(find_layout(tree(*names), listed=("cat", "dog", beside)).train).values()) == {
        "cat", "dog", beside
    }  # fmt: skip


def test_train_and_test_between_class_folders_are_no_classes() -> None:
    with pytest.raises(ImgclfError, match="test, train have the names of splits"):
        find_layout(tree("bus/1.jpg", "car/1.jpg", "train/1.jpg", "test/1.jpg"))


def test_folders_that_all_hold_the_same_folders_are_no_classes() -> None:
    names = ("2019/cat/1.jpg", "2019/dog/1.jpg", "2020/cat/1.jpg", "2020/dog/1.jpg")
    with pytest.raises(ImgclfError, match=r"each of 2019, 2020 holds the folders cat, dog"):
        find_layout(tree(*names))
    assert set(classes(find_layout(tree(*names), listed=("2019", "2020")).train).values()) == {"2019", "2020"}


def test_one_folder_of_the_same_name_in_each_class_folder_is_part_of_the_class() -> None:
    layout = find_layout(tree("cat/images/1.jpg", "dog/images/1.jpg"))
    assert set(classes(layout.train).values()) == {"cat", "dog"}


def test_a_class_that_has_a_splits_name_is_told() -> None:
    layout = find_layout(tree("bus/1.jpg", "car/1.jpg", "train/1.jpg", "train/2.jpg"))
    assert layout.notes == ("taken for a class: train",)


def test_a_thousand_class_folders_are_laid_out_at_once() -> None:
    names = [f"{label:04}/{number}.jpg" for label in range(1500) for number in range(4)]
    files = tree(*names, folders=tuple(f"{label:04}" for label in range(1501)))
    start = time.perf_counter()
    layout = find_layout(files)
    assert time.perf_counter() - start < 1.0
    assert layout.empty_classes == ("1500",)
