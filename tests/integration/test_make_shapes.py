"""The images that scripts/make_shapes.py draws are those that multi_head_shapes reads."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from imgclf.experiment.load import load_experiment
from imgclf.loading import load_splits
from imgclf.screen import Silent

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_shapes.py"
HUES = {"red": 0, "yellow": 30, "green": 60, "blue": 115, "purple": 140}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three images of each of the 80 combinations."""
    folder = tmp_path_factory.mktemp("data") / "shapes"
    subprocess.run([sys.executable, str(SCRIPT), str(folder), "--images", "240"], check=True, capture_output=True)
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow  # draws, and flushes every file to the disk
def test_every_combination_is_drawn_equally_often_and_the_config_reads_it(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert set(Counter((row["pattern"], row["colour"], row["shape"]) for row in rows(shapes)).values()) == {3}
    splits = load_splits(load_experiment("multi_head_shapes").experiment, shapes.parent, Silent())
    assert [target.name for target in splits.targets] == ["pattern", "colour", "shape"]
    assert [len(target.class_names) for target in splits.targets] == [4, 5, 4]
    assert splits.train.pixels.image_shape == (48, 48, 3)
    assert splits.test_images == 48


@pytest.mark.slow  # as above
def test_the_middle_of_a_plain_image_has_the_hue_of_its_label(shapes: Path) -> None:
    for row in rows(shapes):
        if row["pattern"] == "plain":
            middle = cv2.imread(str(shapes / row["file"]))[18:30, 18:30].mean(axis=(0, 1))
            hue = int(cv2.cvtColor(middle.round().astype(np.uint8)[None, None], cv2.COLOR_BGR2HSV)[0, 0, 0])
            distance = abs(hue - HUES[row["colour"]])
            assert min(distance, 180 - distance) < 30, row


@pytest.mark.slow  # as above, a second time
def test_the_same_seed_gives_the_same_images_and_another_seed_others(shapes: Path, tmp_path: Path) -> None:
    for name, seed in (("same", "0"), ("other", "1")):
        command = [sys.executable, str(SCRIPT), str(tmp_path / name), "--images", "4", "--seed", seed]
        subprocess.run(command, check=True, capture_output=True)
    for number in range(4):
        first, same, other = (
            (folder / f"{number:04}.png").read_bytes() for folder in (shapes, tmp_path / "same", tmp_path / "other")
        )
        assert first == same != other
