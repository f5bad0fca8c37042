from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from imgclf.datasets.published.idx_sources import IdxFolder, NpzFile, look_at
from imgclf.datasets.published.whereabouts import Place, find_first, keras_datasets_folder
from imgclf.errors import ImgclfError


def own(path: Path) -> Place:
    return Place(path, of_user=True)


def shared(path: Path) -> Place:
    return Place(path, of_user=False)


def test_the_first_whole_place_is_taken(tmp_path: Path, small) -> None:  # noqa: ANN001 (a class of conftest.py)
    small.write(tmp_path / "second")
    small.write(tmp_path / "third")
    source, misses = find_first(
        [own(tmp_path / "first"), shared(tmp_path / "second"), shared(tmp_path / "third")], look_at
    )
    assert isinstance(source, IdxFolder)
    assert source.folder == tmp_path / "second"
    assert [(miss.path, miss.problem, miss.notable) for miss in misses] == [(tmp_path / "first", "not there", False)]


@pytest.mark.parametrize(
    "name", ["train-images.idx3-ubyte", "train-images.idx3-ubyte.gz", "train-images-idx3-ubyte.gz"]
)
def test_each_usual_name_is_known(tmp_path: Path, small, name: str) -> None:  # noqa: ANN001
    small.write(tmp_path / "mnist", gzipped=False)
    (tmp_path / "mnist" / "train-images-idx3-ubyte").rename(tmp_path / "mnist" / name)
    source, _ = find_first([own(tmp_path / "mnist")], look_at)
    assert source is not None
    assert name in source.describe()
    images, labels = source.read("train", classes=10)
    assert np.array_equal(images, small.train_images)
    assert np.array_equal(labels, small.train_labels)


def test_a_users_folder_with_some_of_the_files_is_an_error_that_names_the_others(tmp_path: Path, small) -> None:  # noqa: ANN001
    small.write(tmp_path / "mnist")
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(
        ImgclfError, match=r"mnist: incomplete: lacks t10k-labels-idx1-ubyte \(plain or .gz\)"
    ) as caught:
        find_first([own(tmp_path / "mnist")], look_at)
    assert "not mixed" in str(caught.value.hint)


def test_another_incomplete_place_is_passed_over_and_told(tmp_path: Path, small) -> None:  # noqa: ANN001
    small.write(tmp_path / "cache")
    shutil.copytree(tmp_path / "cache", tmp_path / "system")
    (tmp_path / "cache" / "train-images-idx3-ubyte.gz").unlink()
    source, misses = find_first([shared(tmp_path / "cache"), shared(tmp_path / "system")], look_at)
    assert isinstance(source, IdxFolder)
    assert source.folder == tmp_path / "system"
    assert [(miss.problem, miss.notable) for miss in misses] == [
        ("incomplete: lacks train-images-idx3-ubyte (plain or .gz)", True)
    ]


def test_a_folder_without_the_files_is_a_miss(tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "README").touch()
    source, misses = find_first([own(tmp_path / "mnist"), shared(tmp_path / "mnist.npz")], look_at)
    assert source is None
    assert [miss.problem for miss in misses] == ["holds none of the files", "not there"]


def test_a_file_in_the_folders_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "mnist").touch()
    with pytest.raises(ImgclfError, match="mnist: cannot be listed: Not a directory"):
        find_first([own(tmp_path / "mnist")], look_at)


def test_images_and_labels_of_different_numbers_are_refused_by_header_and_by_data(
    tmp_path: Path,
    small,  # noqa: ANN001
) -> None:
    folder = tmp_path / "mnist"
    small.write(folder)
    shutil.copy(folder / "train-labels-idx1-ubyte.gz", folder / "t10k-labels-idx1-ubyte.gz")
    source, _ = find_first([own(folder)], look_at)
    assert source is not None
    problem = "t10k-labels-idx1-ubyte.gz: must hold one label an image; got 200 labels for 50 images"
    with pytest.raises(ImgclfError, match=problem):
        source.shape("test")
    with pytest.raises(ImgclfError, match=problem):
        source.read("test", classes=10)


def test_keras_file_is_read_part_by_part(tmp_path: Path, small) -> None:  # noqa: ANN001
    path = tmp_path / "mnist.npz"
    arrays = {"x_train": small.train_images, "y_train": small.train_labels}
    np.savez(path, **arrays, x_test=small.test_images, y_test=small.test_labels)
    source, _ = find_first([shared(path)], look_at)
    assert isinstance(source, NpzFile)
    assert source.shape("train") == (200, 28, 28)
    assert source.shape("test") == (50, 28, 28)
    images, labels = source.read("test", classes=10)
    assert np.array_equal(images, small.test_images)
    assert np.array_equal(labels, small.test_labels)
    assert labels.dtype == np.int32


def test_keras_folder_is_where_keras_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", "/somewhere")
    assert keras_datasets_folder() == Path("/somewhere/datasets")
    monkeypatch.delenv("KERAS_HOME")
    assert str(keras_datasets_folder()) == os.path.expanduser("~/.keras/datasets")  # noqa: PTH111
