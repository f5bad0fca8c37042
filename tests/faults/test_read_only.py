"""Folders that can't be written to: told in one line before any work, and no hindrance to what only reads."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

# Slow: a real run.
pytestmark = pytest.mark.slow
QUICK = ("--set", "model.filters=[2]", "--set", "model.dense_units=[8]", "--set", "training.epochs=1")


def is_told(answer: Any, what: str) -> None:
    errors = [line for line in answer.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, answer.err
    assert what in errors[0]
    assert "Read-only file system" in errors[0]
    assert "hint: " in answer.err
    assert "this is a fault of imgclf" not in answer.err
    assert "epoch 1" not in answer.err


def test_train_says_it_before_training_and_predict_needs_to_write_nothing(
    small_disk: Any, imgclf: Any, tmp_path: Path
) -> None:
    small_disk.change("size=64m")
    assert imgclf("train", "lenet_digits", *QUICK, "--runs-dir", small_disk.path).status == 0
    run, picture = next(small_disk.path.iterdir()), tmp_path / "picture.png"
    cv2.imwrite(str(picture), np.zeros((8, 8), np.uint8))
    small_disk.change("ro")
    new = imgclf("train", "lenet_digits", *QUICK, "--runs-dir", small_disk.path)
    is_told(new, "the run folder can't be made")
    longer = imgclf("train", "--resume", run, "--set", "training.epochs=2")
    is_told(longer, str(run))
    assert imgclf("predict", picture, "--run", run).status == 0
    is_told(imgclf("evaluate", run), str(run))
    assert imgclf("runs", "show", run).status == 0
    small_disk.change("rw")
    assert imgclf("evaluate", run).status == 0
    shutil.rmtree(run)
