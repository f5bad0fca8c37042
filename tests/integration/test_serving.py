"""The last act of a run: `predict` and the evaluation give the same probabilities, or the run fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from imgclf.errors import WorkFailed
from imgclf.loading import load_splits
from imgclf.runs.folder import RunFolder
from imgclf.screen import Silent
from imgclf.serving import check_serving
from imgclf.train import train
from imgclf.trained import find_source, open_trained

if TYPE_CHECKING:
    from imgclf.train import TrainingResult

PHOTOS = """
dataset: {{name: image_folder, path: {folder}, test_size: 0.2, validation_size: 0.25}}
preprocessing: {{size: 16, normalization: featurewise}}
model: {{name: mlp, dense_units: [8]}}
training:
  epochs: 1
  batch_size: 16
  optimizer: {{name: adam, learning_rate: 0.0001}}
  tensorboard: {{scalars: false, graph: false}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photographs of several sizes, some so large that their decoder reduces them, and some as PNG."""
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    numbers = np.random.default_rng(3)
    for number in range(40):
        for label, channel in (("red", 0), ("blue", 2)):
            height, width = numbers.integers(20, 200, 2)
            pixels = numbers.integers(0, 100, (height, width, 3), np.uint8)
            pixels[..., channel] += 100
            path = tmp_path / "photos" / label / f"{number}.{'png' if number % 4 == 0 else 'jpg'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return tmp_path / "photos"


def config_of(folder: Path) -> Path:
    config = folder.parent / "photos.yaml"
    config.write_text(PHOTOS.format(folder=folder))
    return config


def record_of(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
    return content


class Meddling(Silent):
    """Calls ``meddle`` with the run's folder when the first epoch is over."""

    def __init__(self, meddle: Callable[[Path], object]) -> None:
        self._meddle = meddle
        self._run = Path()

    def log_to(self, path: Path) -> None:
        self._run = path.parent

    def say(self, text: str) -> None:
        if text.startswith("epoch 1:"):
            self._meddle(self._run)


def test_a_run_records_that_predict_agrees_with_its_evaluation(trained_run: TrainingResult) -> None:
    serving = record_of(trained_run.run.path)["serving"]
    assert serving["agrees"] is True
    assert 0 <= serving["largest_difference"] <= serving["tolerance"] == 1e-5
    assert (serving["images"], serving["split"], serving["source"]) == (32, "validation", "arrays")


def test_a_run_folder_that_scales_pixels_otherwise_is_caught(trained_run: TrainingResult, tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(trained_run.run.path, tmp_path / "run")))
    text = run.experiment.read_text(encoding="utf-8")
    assert "scaling: unit" in text
    run.experiment.write_text(text.replace("scaling: unit", "scaling: symmetric"), encoding="utf-8")
    splits = load_splits(trained_run.experiment, None, Silent())
    source = find_source(str(trained_run.run.path), None, None, tmp_path)
    trained = open_trained(source, "cpu", lambda: splits, Silent())
    with pytest.raises(WorkFailed, match=r"of validation image 0 predict says \d 0\.\d+, the evaluation \d [01]\.\d+"):
        check_serving(run, trained.forward, splits, trained.fit)
    assert record_of(run.path)["serving"]["agrees"] is False


@pytest.mark.slow  # trains a network
def test_image_files_are_read_from_their_files(folder: Path, tmp_path: Path) -> None:
    result = train(config_of(folder), runs_dir=tmp_path / "runs")
    serving = record_of(result.run.path)["serving"]
    assert serving["agrees"] is True
    assert (serving["images"], serving["source"], serving["note"]) == (16, "files", None)


@pytest.mark.slow  # trains a network
def test_without_validation_training_images_are_compared_and_the_record_says_so(folder: Path, tmp_path: Path) -> None:
    result = train(config_of(folder), overrides=["dataset.validation_size=0"], runs_dir=tmp_path / "runs")
    serving = record_of(result.run.path)["serving"]
    assert serving["agrees"] is True
    assert (serving["images"], serving["split"]) == (32, "train")
    assert "no validation split" in serving["note"]


@pytest.mark.slow  # trains a network
def test_an_image_that_changes_while_it_is_trained_on_fails_the_run_by_name(folder: Path, tmp_path: Path) -> None:
    def paint_all_black(_run: Path) -> None:
        for file in folder.rglob("*.jpg"):
            Image.new("RGB", (30, 30)).save(file)

    with pytest.raises(WorkFailed, match=r"of validation image \d+ \(.*\.jpg\) predict says") as caught:
        train(config_of(folder), runs_dir=tmp_path / "runs", screen=Meddling(paint_all_black))
    assert caught.value.exit_status == 1
    run = next((tmp_path / "runs").iterdir())
    record = record_of(run)
    assert (record["status"], record["serving"]["agrees"]) == ("failed", False)
    assert (run / "report.json").is_file()
    assert (run / "weights" / "last.weights.h5").is_file()


@pytest.mark.slow  # trains a network
def test_an_image_that_goes_away_while_it_is_trained_on_fails_the_run_by_name(folder: Path, tmp_path: Path) -> None:
    def remove_all(_run: Path) -> None:
        for file in folder.rglob("*.png"):
            file.unlink()

    with pytest.raises(
        WorkFailed, match=r"\(.*\.png\) predict says that it can't be read, the evaluation \w+ [01]\.\d+"
    ):
        train(config_of(folder), runs_dir=tmp_path / "runs", screen=Meddling(remove_all))
    assert record_of(next((tmp_path / "runs").iterdir()))["serving"]["largest_difference"] is None


@pytest.mark.slow  # trains a network
def test_a_damaged_preprocessing_file_fails_the_run(folder: Path, tmp_path: Path) -> None:
    def damage(run: Path) -> None:
        with np.load(run / "preprocessing.npz") as arrays:
            kept = dict(arrays)
        np.savez(run / "preprocessing.npz", **{name: array * np.float32(1.5) for name, array in kept.items()})

    with pytest.raises(
        WorkFailed, match=r"predict can't open .*preprocessing\.npz: must be the file that the run wrote"
    ):
        train(config_of(folder), runs_dir=tmp_path / "runs", screen=Meddling(damage))
    assert record_of(next((tmp_path / "runs").iterdir()))["status"] == "failed"
