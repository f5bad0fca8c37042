"""A folder of image files from training to prediction, as its user has it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgclf.evaluate import evaluate
from imgclf.screen import Silent

Imgclf = Callable[..., Any]

CONFIG = """
dataset:
  name: image_folder
  path: {folder}
  max_unreadable: 0.05
preprocessing:
  size: 16
model:
  name: mlp
  dense_units: [8]
training:
  epochs: 6
  batch_size: 16
  optimizer: {{name: adam, learning_rate: 0.01}}
  tensorboard: {{scalars: false, graph: false}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Reddish and bluish photographs of several sizes, among them a broken one."""
    numbers = np.random.default_rng(0)
    for number in range(60):
        for label, channel in (("red", 0), ("blue", 2)):
            height, width = numbers.integers(14, 30, 2)
            pixels = numbers.integers(0, 100, (height, width, 3), np.uint8)
            pixels[..., channel] += 100
            path = tmp_path / "photos" / label / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    (tmp_path / "photos" / "red" / "7.jpg").write_bytes(b"\xff\xd8\xff cut")
    return tmp_path / "photos"


@pytest.mark.slow  # trains a network and evaluates it three times
def test_a_folder_is_trained_evaluated_and_predicted_from(
    imgclf: Imgclf, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    config, runs = tmp_path / "photos.yaml", tmp_path / "runs"
    config.write_text(CONFIG.format(folder=folder))
    answer = imgclf("train", config, "--runs-dir", runs, "--json")
    assert answer.status == 0, answer.err
    assert json.loads(answer.out)["accuracy"] == 1.0
    assert "decoded once, kept in" in answer.err
    assert "1 unreadable file is left out: see " in answer.err
    run = next(runs.iterdir())
    with (run / "quarantine.csv").open(newline="") as stream:
        assert [row["file"] for row in csv.DictReader(stream)] == [str(folder / "red" / "7.jpg")]

    report = json.loads(imgclf("evaluate", run, "--json").out)
    assert report == json.loads(answer.out) | {"run": run.name}
    assert "warning" not in report

    predicted = json.loads(imgclf("predict", folder / "blue" / "1.jpg", "--run", run, "--json").out)
    assert predicted[0]["label"] == "blue"

    (folder / "blue").rename(folder / "cyan")
    renamed = imgclf("evaluate", run)
    assert renamed.status == 2
    assert "classes must be those of the run, blue, red; found cyan, red" in renamed.err


class Decodings(Silent):
    """Counts how often image files were decoded to the last."""

    def __init__(self) -> None:
        self.count = 0

    def progress(self, what: str, done: int, total: int, detail: str = "") -> None:  # noqa: ARG002 (as of Screen)
        self.count += what == "decoding image files" and done == total


@pytest.mark.slow  # trains a network
def test_weights_without_a_run_load_their_data_once(
    imgclf: Imgclf, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no-folder").touch()
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "no-folder"))  # nothing decoded can be kept
    config, runs = tmp_path / "photos.yaml", tmp_path / "runs"
    config.write_text(
        CONFIG.format(folder=folder).replace("\n  size: 16\n", "\n  size: 16\n  normalization: featurewise\n")
    )
    trained = imgclf("train", config, "--runs-dir", runs, "--json")
    assert trained.status == 0, trained.err
    weights = shutil.copy(next(runs.iterdir()) / "weights" / "last.weights.h5", tmp_path / "alone.weights.h5")
    screen = Decodings()
    report = evaluate(weights=weights, config=str(config), screen=screen)
    assert screen.count == 1
    assert report["accuracy"] == json.loads(trained.out)["accuracy"]
