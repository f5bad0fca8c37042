"""Data with two classes, from training to the pictures, as its user has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_auc_score

import imgclf as program
from imgclf.evaluation.json_schemas import REPORT_SCHEMA

pytestmark = pytest.mark.slow  # all of them stand on a network that is really trained

Imgclf = Callable[..., Any]
COUNTS = {"train": 60, "validation": 20, "test": 30}
CONFIG = """
dataset: {{name: image_folder, path: {folder}}}
model: {{name: mlp, dense_units: [16]}}
training: {{epochs: 6, batch_size: 20, tensorboard: {{graph: false, scalars: false}}}}
evaluation: {{test_time_augmentation: flip, threshold: f1, positive_class: dark}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey noise, dark or light by a little, so that some images of each class look like the other one's."""
    folder, random = tmp_path_factory.mktemp("shades"), np.random.default_rng(0)
    for split, count in COUNTS.items():
        for name, level in (("dark", 115), ("light", 140)):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.normal(level + random.normal(0, 20), 25, (12, 12))
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / split / name / f"{number}.png")
    (folder / "shades.yaml").write_text(CONFIG.format(folder=folder))
    return folder


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("IMGCLF_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        return program.train(folder / "shades.yaml", runs_dir=tmp_path_factory.mktemp("runs")).run.path


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def answers(run: Path, folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Whether each image of a split is dark, and how likely `predict` finds that."""
    files = [folder / split / name / f"{number}.png" for name in ("dark", "light") for number in range(COUNTS[split])]
    shares = np.array([one.probabilities[0] for one in program.load_run(run).predict(files)])
    return np.array([file.parent.name == "dark" for file in files]), shares


def test_the_report_has_areas_threshold_and_figures_of_the_positive_class(run: Path, folder: Path) -> None:
    report = read(run / "report.json")
    jsonschema.validate(report, REPORT_SCHEMA)
    binary, (is_dark, shares) = report["binary"], answers(run, folder, "test")
    assert (binary["positive_class"], binary["threshold_rule"]) == ("dark", "f1")
    assert binary["roc_area"] == pytest.approx(roc_auc_score(is_dark, shares))
    assert binary["average_precision"] == pytest.approx(average_precision_score(is_dark, shares))
    called = shares >= binary["threshold"]
    assert binary["at_threshold"] == pytest.approx(
        {
            "precision": precision_score(is_dark, called),
            "recall": recall_score(is_dark, called),
            "specificity": recall_score(~is_dark, ~called),
            "f1": f1_score(is_dark, called),
            "accuracy": np.mean(is_dark == called),
        }
    )
    assert binary["threshold_note"] == "picked on 40 validation images"


def test_no_other_threshold_has_a_higher_f1_on_the_validation_images(run: Path, folder: Path) -> None:
    is_dark, shares = answers(run, folder, "validation")
    found = f1_score(is_dark, shares >= read(run / "report.json")["binary"]["threshold"])
    assert found == pytest.approx(max(f1_score(is_dark, shares >= one) for one in shares))


def test_evaluate_repeats_the_report_and_shows_it(imgclf: Imgclf, run: Path) -> None:
    written = read(run / "report.json")
    answer = imgclf("evaluate", run, "--json")
    assert json.loads(answer.out) == written | {"run": run.name}
    shown, binary = imgclf("evaluate", run).out, written["binary"]
    assert f"dark against light: ROC area {binary['roc_area']:.4f}, average precision" in shown
    assert f"threshold {binary['threshold']:.4f} (f1), picked on 40 validation images" in shown
    assert f"at the threshold: precision {binary['at_threshold']['precision']:.4f}, recall" in shown
    assert {"roc.png", "precision_recall.png"} <= {path.name for path in (run / "plots").iterdir()}


def test_the_validation_split_itself_is_said_to_have_given_the_threshold(imgclf: Imgclf, run: Path) -> None:
    shown = imgclf("evaluate", run, "--split", "validation").out
    assert "(f1), picked on these very images, so that the figures at it are too good" in shown
    validation, test = (read(run / name)["binary"] for name in ("report-validation.json", "report.json"))
    assert validation["threshold"] == test["threshold"]
    assert (run / "plots" / "roc-validation.png").is_file()


def test_an_image_and_its_mirror_image_have_one_answer_and_the_averaging_is_said(
    imgclf: Imgclf, run: Path, folder: Path, tmp_path: Path
) -> None:
    file = folder / "test" / "dark" / "3.png"
    Image.open(file).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "mirrored.png")
    answer = imgclf("predict", file, tmp_path / "mirrored.png", "--run", run, "--json")
    one, other = json.loads(answer.out)
    assert one["probability"] == pytest.approx(other["probability"], rel=1e-6)
    note = "; outputs averaged over each image and its mirror image"
    assert note in answer.err
    assert note in (run / "log.txt").read_text()
    shown = imgclf("evaluate", run)
    assert note in shown.err
    assert note in shown.out.splitlines()[0]
    assert read(run / "report.json")["test_time_augmentation"] == "flip"
    assert read(run / "run.json")["evaluation"]["test_time_augmentation"] == "flip"


def test_validation_during_training_averages_as_the_report_does(imgclf: Imgclf, run: Path) -> None:
    last = (run / "metrics.csv").read_text().splitlines()[-1].split(",")
    report = json.loads(imgclf("evaluate", run, "--split", "validation", "--json").out)
    assert float(last[-1]) == report["accuracy"]
    assert float(last[-2]) == pytest.approx(report["loss"], rel=1e-6)


def test_a_positive_class_that_the_folder_lacks_is_refused(imgclf: Imgclf, folder: Path) -> None:
    answer = imgclf("train", folder / "shades.yaml", "--set", "evaluation.positive_class=dim")
    assert answer.status == 2
    assert 'evaluation.positive_class: must name a class of the data (dark, light); got "dim"' in answer.err
