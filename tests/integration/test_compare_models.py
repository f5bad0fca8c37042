"""`imgclf models compare` and `models time` as their users run them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import jsonschema
import numpy as np
import pytest
from scipy.stats import binomtest

from imgclf.compare_models import stays_random
from imgclf.evaluation.group_schemas import COMPARISON_SCHEMA
from imgclf.experiment.load import load_experiment
from imgclf.time_model import LEAST_REPEATS, SECONDS, measure

Imgclf = Callable[..., Any]
COMPARE = [sys.executable, "-m", "imgclf", "models", "compare"]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A perceptron and two sizes of an mlp after one epoch of digits: the command's end, and its folder."""
    runs = tmp_path_factory.mktemp("runs")
    models = ["--models", "perceptron, mlp", "--model", "{name: mlp, dense_units: [8]}"]
    command = [*COMPARE, "lenet_digits", *models, "--epochs", "1", "--runs-dir", str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder,) = runs.iterdir()
    return done, folder


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def right_answers(run: Path) -> list[bool]:
    with (run / "answers.csv").open(newline="") as file:
        return [row["label"] == row["predicted"] for row in csv.DictReader(file)]


@pytest.mark.slow  # three models are trained and timed, each in two processes that import TensorFlow
def test_costs_are_those_of_the_layers_counted_by_hand(
    compared: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    _, folder = compared
    found = read(folder / "compare.json")
    jsonschema.validate(found, COMPARISON_SCHEMA)
    models = found["models"]
    assert [one["label"] for one in models] == ["perceptron", "mlp", "mlp {dense_units: [8]}"]
    assert [one["folder"] for one in models] == ["perceptron", "mlp", "mlp-2"]
    layers = [[(64, 10)], [(64, 64), (64, 10)], [(64, 8), (8, 10)]]
    for one, sizes in zip(models, layers, strict=True):
        assert one["multiply_adds"] == sum(before * after for before, after in sizes)
        assert one["parameters"] == sum(before * after + after for before, after in sizes)
        assert one["weights_bytes"] == (folder / one["folder"] / "weights" / "last.weights.h5").stat().st_size
        assert one["latency_repeats"] * one["latency_seconds"] > 0
        record = read(folder / one["folder"] / "run.json")
        assert one["peak_memory_bytes"] == record["peak_memory_bytes"]
        assert record["steps"] == 1294 // 32


@pytest.mark.slow  # as above
def test_each_model_is_tested_against_the_best(compared: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    _, folder = compared
    found = read(folder / "compare.json")
    accuracies = {one["label"]: one["accuracy"] for one in found["models"]}
    assert accuracies[found["best"]] == max(accuracies.values())
    (best,) = [one for one in found["models"] if one["label"] == found["best"]]
    first = right_answers(folder / best["folder"])
    for one in found["models"]:
        second = right_answers(folder / one["folder"])
        low_high = binomtest(sum(second), len(second)).proportion_ci(method="wilson")
        assert one["accuracy_interval"] == pytest.approx([low_high.low, low_high.high])
        if one is best:
            assert one["against_best"] is None
            continue
        only_best = sum(a and not b for a, b in zip(first, second, strict=True))
        only_this = sum(b and not a for a, b in zip(first, second, strict=True))
        paired = one["against_best"]["label"]
        assert (paired["only_best"], paired["only_this"]) == (only_best, only_this)
        assert paired["p_value"] == pytest.approx(binomtest(only_best, only_best + only_this).pvalue)


@pytest.mark.slow  # as above
def test_the_table_and_the_picture_show_every_model(
    compared: tuple[subprocess.CompletedProcess[str], Path], imgclf: Imgclf
) -> None:
    done, folder = compared
    assert [line.split("  ")[0] for line in done.stdout.splitlines()[:4]] == [
        "model", "perceptron", "mlp", "mlp {dense_units: [8]}",
    ]  # fmt: skip
    assert done.stdout.count("  256: ") == 3
    assert (folder / "compare.png").read_bytes().startswith(b"\x89PNG")
    assert imgclf("runs", "show", folder).out == done.stdout
    (row,) = json.loads(imgclf("runs", "list", "--runs-dir", folder.parent, "--json").out)
    assert row["runs"] == ["mlp", "mlp-2", "perceptron"]


@pytest.mark.slow  # as above, and a model is built and timed
def test_a_run_is_timed(compared: tuple[subprocess.CompletedProcess[str], Path], imgclf: Imgclf) -> None:
    _, folder = compared
    told = imgclf("models", "time", folder / "mlp").out
    labels = ["one image", "batch of 256", "parameters", "weights", "multiply-adds"]
    assert all(line.startswith(label) for line, label in zip(told.splitlines(), labels, strict=True))
    timed = json.loads(imgclf("models", "time", folder / "mlp", "--json").out)
    assert timed["image_shape"] == [8, 8, 1]
    assert 0 < timed["latency_seconds"] < timed["batch_latency_seconds"] * 256


@pytest.mark.slow  # calls for two seconds
def test_the_median_is_of_enough_calls_after_the_warm_up() -> None:
    calls = []
    found = measure(lambda: calls.append(sum(range(20_000))))
    assert len(calls) > found.repeats >= LEAST_REPEATS
    assert 0.1 * SECONDS < found.seconds * found.repeats < 10 * SECONDS


def test_models_too_large_for_the_images_of_a_folder_are_told_before_anything_is_trained(
    imgclf: Imgclf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    for number in range(20):
        path = tmp_path / "images" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((3, 5, 3), number * 10, np.uint8))
    text = f"dataset: {{name: image_folder, path: {tmp_path / 'images'}}}\nmodel: mlp\ntraining: {{batch_size: 4}}\n"
    (tmp_path / "tiny.yaml").write_text(text)
    answer = imgclf(
        "models", "compare", tmp_path / "tiny.yaml", "--models", "mlp,lenet", "--runs-dir", tmp_path / "runs"
    )
    assert answer.status == 2
    assert (
        "--models lenet: model: images of 3x5 pixels are too small for this model: it needs 4x4 or more" in answer.err
    )
    assert answer.err.count("error: ") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("overrides", "stays"),
    [
        (["training.trainable=head"], True),
        (["training.stages=[{trainable: head, epochs: 1}, {trainable: all, epochs: 1}]"], False),
        (["training.trainable=head", "model=application"], False),
        (["training.trainable=head", "model={name: application, weights: null}"], True),
        ([], False),
    ],
)
def test_a_model_whose_body_stays_random_is_known(overrides: list[str], stays: bool) -> None:
    assert stays_random(load_experiment("lenet_digits", overrides).experiment) == stays
