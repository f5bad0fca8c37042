"""The two classes that scripts/make_imbalanced.py draws are those that the config rare_shirts reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from imgclf.experiment.load import load_experiment
from imgclf.loading import load_splits
from imgclf.screen import Silent

# ruff: noqa: ANN001 (``small`` is of a class of conftest.py)
SCRIPT = Path(__file__).parents[2] / "scripts" / "make_imbalanced.py"
FEW = ("--train", "40", "--test", "20", "--rare", "0.1")


def make(file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(file), "--data-dir", str(file.parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rows(images: NDArray[np.uint8]) -> set[bytes]:
    return {image.tobytes() for image in images}


@pytest.mark.slow  # starts two processes
def test_the_rare_class_is_the_shirts_and_the_config_reads_it(small, tmp_path: Path) -> None:
    small.write(tmp_path / "fashion_mnist")
    for name in ("rare_shirts", "again"):
        done = make(tmp_path / f"{name}.npz", *FEW)
        assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "rare_shirts.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()
    loaded = load_experiment("rare_shirts", ["dataset.validation_size=10"])
    splits = load_splits(loaded.experiment, tmp_path, Silent())
    test = splits.load_test()
    assert splits.targets[0].class_names == ("other top", "shirt")
    assert [np.bincount(split.labels[:, 0]).tolist() for split in (splits.train, test)] == [[27, 3], [18, 2]]
    images, positive = test.pixels.take(np.arange(20)), test.labels[:, 0] == 1
    of = {label: rows(small.test_images[small.test_labels == label]) for label in range(10)}
    assert len(rows(images)) == 20
    assert rows(images[positive]) < of[6]
    assert rows(images[~positive]) <= of[0] | of[2] | of[3] | of[4]
    assert [len(rows(images) & of[label]) for label in (0, 2, 3, 4)] == [5, 5, 4, 4]


def test_more_images_than_there_are_is_one_line_and_no_file(small, tmp_path: Path) -> None:
    small.write(tmp_path / "fashion_mnist")
    done = make(tmp_path / "rare.npz", "--train", "200", "--test", "20")
    assert done.returncode == 1
    assert done.stderr == "error: images of Fashion-MNIST's class 0: must be 1 to 20; got 48\n"
    assert not (tmp_path / "rare.npz").exists()
