"""Runs whose preprocessing was fitted on the training images, through the program's commands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import imgclf
from imgclf.datasets.base import DataPlaces
from imgclf.experiment.load import load_experiment

# Slow: each part trains one of the two runs, for a few seconds.
pytestmark = pytest.mark.slow

Imgclf = Callable[..., Any]
SHORT = ["training.epochs=2", "training.tensorboard.scalars=false", "training.tensorboard.graph=false"]
PARTS = {
    "featurewise": ["preprocessing.normalization=featurewise"],
    "zca": ["preprocessing.whitening={name: zca, epsilon: 0.01, images: 500}"],
}


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module", params=sorted(PARTS))
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    return imgclf.train("lenet_digits", overrides=[*SHORT, *PARTS[request.param]], runs_dir=runs).run.path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run elsewhere, whose folder a test may change; the first folder is out of its reach."""
    return shutil.copytree(trained, tmp_path / "elsewhere" / trained.name)


def test_only_the_training_images_were_fitted_on_and_the_run_says_so(run: Path) -> None:
    experiment = load_experiment(str(run / "experiment.yaml")).experiment
    splits = experiment.dataset.load(DataPlaces(run), experiment.seed)
    pixels = splits.train.pixels.take(np.arange(len(splits.train))) / 255
    with np.load(run / "preprocessing.npz", allow_pickle=False) as arrays:
        if experiment.preprocessing.whitening is None:
            np.testing.assert_allclose(arrays["normalization_mean"], pixels.mean(axis=(0, 1, 2)), rtol=1e-6)
            np.testing.assert_allclose(arrays["normalization_deviation"], pixels.std(axis=(0, 1, 2)), rtol=1e-6)
            said = f"fitted  featurewise normalization on all {len(pixels):,} training images\n"
        else:
            spread = pixels[np.linspace(0, len(pixels) - 1, 500).astype(int)]
            np.testing.assert_allclose(arrays["whitening_mean"], spread.mean(axis=0).ravel(), atol=1e-6)
            said = f"fitted  zca whitening on 500 of {len(pixels):,} training images, evenly spread\n"
    assert said in (run / "log.txt").read_text()
    record = read(run / "run.json")["preprocessing"]
    assert len(bytes.fromhex(record["sha256"])) == 32
    assert [part["images"] for key, part in record.items() if key != "sha256"] in ([len(pixels)], [500])


def test_evaluation_of_a_copy_repeats_the_report_to_the_last_digit(imgclf: Imgclf, run: Path) -> None:
    before = (run / "report.json").read_bytes()
    (run / "report.json").unlink()
    assert imgclf("evaluate", run).status == 0
    assert (run / "report.json").read_bytes() == before


def test_predict_sees_what_the_evaluation_saw(imgclf: Imgclf, run: Path, tmp_path: Path) -> None:
    experiment = load_experiment(str(run / "experiment.yaml")).experiment
    test = experiment.dataset.load(DataPlaces(run), experiment.seed).load_test()
    files = [tmp_path / f"{number:02}.png" for number in range(20)]
    for number, file in enumerate(files):
        Image.fromarray(test.pixels.take(np.array([number]))[0, ..., 0]).save(file)
    answer = imgclf("predict", *files, "--run", run, "--as-is", "--json")
    assert answer.status == 0, answer.err
    rows = [line.split(",") for line in (run / "answers.csv").read_text().splitlines()[1:21]]
    predictions = json.loads(answer.out)
    assert [prediction["label"] for prediction in predictions] == [row[2] for row in rows]
    wanted = [float(row[3]) for row in rows]
    np.testing.assert_allclose([prediction["probability"] for prediction in predictions], wanted, atol=1e-4)


@pytest.mark.parametrize("damage", ["cut", "gone", "foreign"])
def test_a_damaged_file_is_one_error(imgclf: Imgclf, run: Path, damage: str) -> None:
    file = run / "preprocessing.npz"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    elif damage == "gone":
        file.unlink()
    else:
        np.savez(file, mean=np.zeros(3))
    answer = imgclf("evaluate", run)
    assert answer.status == 2
    assert f"error: {file}: " in answer.err
    assert "Traceback" not in answer.err


def test_weights_without_their_run_have_it_fitted_anew_and_say_so(imgclf: Imgclf, run: Path, tmp_path: Path) -> None:
    weights = shutil.copy(run / "weights" / "last.weights.h5", tmp_path / "alone.weights.h5")
    answer = imgclf("evaluate", "--weights", weights, "--config", run / "experiment.yaml", "--json")
    assert answer.status == 0, answer.err
    assert "alone.weights.h5: lies without its preprocessing; fitted anew, it may differ" in answer.err
    assert "\nfitted  " in answer.err
    assert json.loads(answer.out)["accuracy"] == read(run / "report.json")["accuracy"]
