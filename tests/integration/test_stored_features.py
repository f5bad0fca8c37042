"""Heads that are trained or fitted on the stored features of a body that stays as it is."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imgclf
from imgclf.errors import ImgclfError, WorkFailed

# Slow: real runs, a few seconds each.
pytestmark = pytest.mark.slow

QUIET = ["training.tensorboard.scalars=false", "training.tensorboard.graph=false", "model.filters=[4,8]"]
HEAD = [*QUIET, "training.trainable=head", "training.epochs=2", "training.optimizer.learning_rate=0.01"]
SVM = (
    "dataset: {{name: digits, validation_size: {validation}}}\nmodel: {{name: lenet, filters: [4, 8], head: {head}}}\n"
)


class Listening:
    """A screen that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, *told: Any) -> None:
        pass

    def log_to(self, path: Path) -> None:
        pass

    def about(self, word: str) -> list[str]:
        return [line for line in self.lines if word in line]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "runs"


def train(config: str | Path, runs: Path, *overrides: str) -> tuple[Any, Listening]:
    screen = Listening()
    return imgclf.train(str(config), overrides=overrides, runs_dir=runs, screen=screen), screen


def rows(run: Any) -> list[dict[str, str]]:
    with run.metrics.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_second_run_takes_the_features_and_ends_with_the_same_numbers(runs: Path) -> None:
    first, told = train("lenet_digits", runs, *HEAD)
    second, told_again = train("lenet_digits", runs, *HEAD)
    assert len(told.about("images computed")) == 1
    assert len(told_again.about("images taken from")) == 1
    assert not told_again.about("images computed")
    assert rows(first.run) == rows(second.run)
    assert first.report == second.report


def test_another_split_of_the_same_images_finds_them_too(runs: Path) -> None:
    weights = train("lenet_digits", runs, *HEAD)[0].run.last_weights
    assert weights.is_file()
    # The same first weights: those of the seed are replaced by constant ones.
    same = [*HEAD, "model.kernel_initializer={name: constant, value: 0.01}"]
    train("lenet_digits", runs, *same)
    _, told = train("lenet_digits", runs, *same, "seed=5")
    assert told.about("images taken from")


def test_training_on_features_is_training_behind_the_body_and_the_report_is_the_whole_models(runs: Path) -> None:
    stored, _ = train("lenet_digits", runs, *HEAD)
    # An augmentation that changes nothing keeps the features from being stored.
    through, told = train("lenet_digits", runs, *HEAD, "augmentation=[{name: brightness, range: 1.0e-9}]")
    assert told.about("features are not stored, since its images are augmented")
    for one, other in zip(rows(stored.run), rows(through.run), strict=True):
        assert float(one["validation_loss"]) == pytest.approx(float(other["validation_loss"]), rel=1e-4)
    again = imgclf.load_run(stored.run.path).evaluate()
    assert again["loss"] == stored.report["loss"]


def test_a_damaged_store_is_said_and_made_anew(runs: Path, tmp_path: Path) -> None:
    first, _ = train("lenet_digits", runs, *HEAD)
    (file,) = (tmp_path / "cache" / "features").glob("*.npy")
    file.write_bytes(b"")
    second, told = train("lenet_digits", runs, *HEAD)
    assert told.about("computed anew")
    assert told.about("images computed")
    assert rows(first.run) == rows(second.run)


def test_a_folder_that_can_not_be_made_is_said_and_the_run_goes_on_without_a_store(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = train("lenet_digits", runs, *HEAD)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "file" / "cache"))
    second, told = train("lenet_digits", runs, *HEAD)
    (line,) = told.about("features are not stored")
    assert str(tmp_path / "file" / "cache") in line
    assert not told.about("images computed")
    assert float(rows(second.run)[-1]["loss"]) == pytest.approx(float(rows(first.run)[-1]["loss"]), rel=1e-4)


def test_a_refusal_to_write_the_features_is_said_and_the_run_goes_on_without_a_store(
    runs: Path, tmp_path: Path
) -> None:
    config = tmp_path / "fitted.yaml"
    config.write_text(SVM.format(validation=0.1, head="{name: svm, kernel: linear, c: 0.01}"))
    train(config, runs)
    (file,) = (tmp_path / "cache" / "features").glob("*.npy")
    file.unlink()
    (file / "in the way").mkdir(parents=True)
    result, told = train(config, runs)
    assert told.about("features are not stored")
    assert result.report["accuracy"] > 0.8


def test_features_that_are_not_finite_or_say_nothing_are_no_fault_of_the_program(runs: Path, tmp_path: Path) -> None:
    config = tmp_path / "fitted.yaml"
    config.write_text(SVM.format(validation=0.1, head="svm") + "preprocessing: {scaling: none}\n")
    large = "model.kernel_initializer={name: constant, value: 1000}"
    with pytest.raises(WorkFailed, match=r"features of .* training images are not finite") as refused:
        train(config, runs, large, "training.precision=float16")
    assert refused.value.hint == "take training.precision float32 or bfloat16"
    with pytest.raises(WorkFailed, match="gives all 1,294 training images the same features"):
        train(config, runs, "model.kernel_initializer=zeros")


@pytest.mark.parametrize("head", ["svm", "{name: svm, kernel: linear, c: 0.01}", "logistic_regression"])
def test_a_fitted_head_answers_as_scikit_learn_does(head: str, runs: Path, tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC, LinearSVC

    from imgclf.datasets.base import DataPlaces
    from imgclf.experiment.load import load_experiment
    from imgclf.models.heads import build_model, cut
    from imgclf.runs.weights import load_weights

    config = tmp_path / "fitted.yaml"
    config.write_text(SVM.format(validation=0.1, head=head))
    result, _ = train(config, runs)
    loaded = load_experiment(str(result.run.experiment)).experiment
    splits = loaded.dataset.load(DataPlaces(tmp_path), loaded.seed)
    model = build_model(loaded.model, (8, 8, 1), {splits.targets[0].name: 10})
    load_weights(model, result.run.last_weights)
    body, _ = cut(model)
    train_images, test = splits.train, splits.load_test()
    features, test_features = (
        body.predict(one.pixels.take(np.arange(len(one))) / 255, verbose=0) for one in (train_images, test)
    )
    theirs = {
        "svm": lambda: _one_against_rest(SVC),
        "{name: svm, kernel: linear, c: 0.01}": lambda: LinearSVC(C=0.01, max_iter=20_000, random_state=0),
        "logistic_regression": lambda: LogisticRegression(max_iter=5000),
    }[head]()
    pipeline = make_pipeline(StandardScaler(), theirs).fit(features, train_images.labels[:, 0])
    answers = model.predict(test.pixels.take(np.arange(len(test))) / 255, verbose=0).argmax(axis=1)
    assert np.mean(answers == pipeline.predict(test_features)) > 0.99
    assert result.report["accuracy"] == pytest.approx(np.mean(answers == test.labels[:, 0]))
    report = imgclf.load_run(result.run.path).evaluate()
    assert report["accuracy"] == result.report["accuracy"]


def _one_against_rest(machine: Any) -> Any:
    from sklearn.multiclass import OneVsRestClassifier

    return OneVsRestClassifier(machine())


def test_a_fitted_head_is_scaled_already_and_calibrate_says_so(
    runs: Path, tmp_path: Path, imgclf: Callable[..., Any]
) -> None:
    config = tmp_path / "fitted.yaml"
    config.write_text(SVM.format(validation=0.1, head="{name: svm, kernel: linear, c: 0.01}"))
    result, told = train(config, runs)
    assert told.about("decision values are divided by")
    assert "without curves" in result.diagnosis.seen[0]
    assert not (result.run.plots / "curves.png").exists()
    answer = imgclf("evaluate", result.run.path, "--calibrate", "--json")
    assert answer.status == 0, answer.err
    (said,) = [line for line in answer.err.splitlines() if "calibrat" in line or "temperature" in line]
    assert said == "--calibrate: nothing to do: the svm head was scaled on the validation images when fitted"
    assert json.loads(answer.out)["loss"] == result.report["loss"]
    assert not (result.run.path / "calibration.json").exists()


def test_a_fitted_head_without_validation_says_that_its_outputs_are_not_scaled(runs: Path, tmp_path: Path) -> None:
    config = tmp_path / "fitted.yaml"
    config.write_text(SVM.format(validation=0, head="logistic_regression"))
    result, told = train(config, runs)
    assert told.about("no validation split to scale them on")
    assert result.report["accuracy"] > 0.8
    assert json.loads(result.run.record_file.read_text())["diagnosis"]["kind"] == "fitted at once"


def test_training_settings_without_effect_on_a_fitted_head_are_refused(runs: Path, tmp_path: Path) -> None:
    config = tmp_path / "fitted.yaml"
    config.write_text(SVM.format(validation=0.1, head="svm") + "training: {epochs: 3}\naugmentation: [flip]\n")
    with pytest.raises(ImgclfError) as refused:
        train(config, runs)
    assert "training.epochs: has no effect" in str(refused.value)
    assert "augmentation: has no effect" in str(refused.value)
