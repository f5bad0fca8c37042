"""What a run leaves in its folder, and that it is enough to repeat and to evaluate it."""

from __future__ import annotations

import csv
import json
import shutil
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
import yaml
from sklearn.datasets import load_digits

import imgclf
from imgclf.evaluate import evaluate
from imgclf.experiment.load import load_experiment

if TYPE_CHECKING:
    from imgclf.train import TrainingResult


@pytest.fixture(scope="module")
def run(trained_run: TrainingResult) -> Path:
    return trained_run.run.path


@pytest.fixture(scope="module")
def repeated(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second run, of the first one's experiment.yaml."""
    result: TrainingResult = imgclf.train(run / "experiment.yaml", runs_dir=tmp_path_factory.mktemp("again"))
    return result.run.path


def weights(path: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, held: arrays.update({name: held[()]}) if isinstance(held, h5py.Dataset) else None)
    return arrays


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def test_a_run_folder_holds_what_it_should_and_no_temporary_files(run: Path) -> None:
    files = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert files >= {
        "experiment.yaml",
        "run.json",
        "metrics.csv",
        "weights/best.weights.h5",
        "weights/last.weights.h5",
        "report.json",
        "log.txt",
        "plots/confusion.png",
        "plots/curves.png",
        "plots/mistakes.png",
        "plots/reliability.png",
        "plots/samples.png",
    }
    assert not [name for name in files if Path(name).name.startswith(".")]


def test_the_record_says_what_was_trained_where_and_on_what(run: Path) -> None:
    record = read(run / "run.json")
    assert record["status"] == "finished"
    assert record["seed"] == 0
    assert record["versions"]["tensorflow"] == metadata.version("tensorflow")
    assert record["versions"]["imgclf"] == imgclf.__version__
    assert record["parameters"] == 20 * 26 + 50 * 501 + 500 * (50 * 2 * 2 + 1) + 10 * 501  # LeNet on 8x8
    assert record["started"] <= record["ended"]
    assert record["seconds"] >= record["training_seconds"] > record["checkpoints"]["seconds"] > 0
    assert record["checkpoints"]["written"] == 2  # one an epoch
    data = record["data"]
    assert sum(data["images"].values()) == len(load_digits().target)
    assert data["image_shape"] == [8, 8, 1]
    assert data["targets"] == [{"name": "label", "class_names": list("0123456789")}]
    assert len(bytes.fromhex(data["fingerprint"])) == 32


def test_the_experiment_is_complete_and_resolved(run: Path) -> None:
    written = yaml.safe_load((run / "experiment.yaml").read_text())
    assert written["training"]["epochs"] == 2
    assert written["training"]["steps_per_call"] >= 1
    assert written["runtime"]["device"] in ("cpu", "gpu")
    assert written["runtime"]["threads"] >= 1
    assert written["model"]["filters"] == [20, 50]
    assert load_experiment(str(run / "experiment.yaml")).experiment.digest() == read(run / "run.json")["digest"]


def test_the_metrics_are_a_row_an_epoch(run: Path) -> None:
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1.0", "2.0"]
    steps = read(run / "run.json")["data"]["images"]["train"] // 32
    assert [int(row["step"]) for row in rows] == [steps, 2 * steps]
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])


def test_the_experiment_of_a_run_repeats_it_bit_for_bit(run: Path, repeated: Path) -> None:
    for name in ("last", "best"):
        first, second = (weights(folder / "weights" / f"{name}.weights.h5") for folder in (run, repeated))
        assert first.keys() == second.keys()
        assert len(first) == 8
        assert all(np.array_equal(first[array], second[array]) for array in first)


def test_equal_runs_have_equal_files(run: Path, repeated: Path) -> None:
    for name in ("metrics.csv", "experiment.yaml", "report.json", "answers.csv"):
        assert (run / name).read_bytes() == (repeated / name).read_bytes(), name
    records = [read(folder / "run.json") for folder in (run, repeated)]
    for key in ("versions", "machine", "data", "digest", "parameters", "accuracy", "steps", "diagnosis", "ink"):
        assert records[0][key] == records[1][key]


def test_a_repeated_run_bears_the_name_of_the_first(run: Path, repeated: Path) -> None:
    assert run.name.startswith("lenet_digits-")
    assert repeated.name.rsplit("-", 2)[0] == "lenet_digits"


def test_evaluation_repeats_the_report_to_the_last_digit_wherever_the_run_is_copied(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / run.name
    shutil.copytree(run, copy)
    (copy / "report.json").unlink()
    report = evaluate(str(copy))
    assert report.pop("run") == run.name
    assert report == read(copy / "report.json")
    assert (copy / "report.json").read_bytes() == (run / "report.json").read_bytes()


def test_the_log_holds_what_was_said(run: Path) -> None:
    said = (run / "log.txt").read_text()
    assert "lenet, " in said
    assert said.count("epoch ") == 2
