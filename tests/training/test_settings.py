from __future__ import annotations

from pathlib import Path

import pytest

from imgclf.experiment.load import experiment_text, load_experiment
from imgclf.training.settings import StageSettings

HEAD = "dataset: {name: digits}\nmodel: {name: lenet}\n"
STAGES = """
training:
  batch_size: 32
  optimizer: {name: sgd, momentum: 0.9}
  clip_norm: 1.0
  early_stopping: {patience: 5}
  stages:
    - {trainable: head, epochs: 2}
    - {steps: 50, optimizer: {name: adam, learning_rate: 1e-4}, early_stopping: null}
    - {schedule: cosine, clip_norm: null}
"""
AUGMENTED = "training: {stages: [{augmentation: [flip, {name: shift, fraction: 0.1}]}, {augmentation: []}, {}]}\n"


def stages_of(folder: Path, text: str) -> tuple[StageSettings, ...]:
    path = folder / "mine.yaml"
    path.write_text(HEAD + text)
    return load_experiment(str(path)).experiment.training.resolved_stages()


def test_a_stage_takes_what_it_leaves_out_from_training(tmp_path: Path) -> None:
    first, second, third = stages_of(tmp_path, STAGES)
    assert (first.trainable, first.epochs, first.steps, first.batch_size) == ("head", 2, None, 32)
    assert (second.epochs, second.steps, second.optimizer.name, second.clip_norm) == (None, 50, "adam", 1.0)
    assert (third.epochs, third.steps, third.schedule.name, third.clip_norm) == (10, None, "cosine", None)
    assert first.optimizer == third.optimizer
    assert first.early_stopping == third.early_stopping is not None
    assert second.early_stopping is None


@pytest.mark.parametrize(
    ("text", "epochs", "steps"),
    [("", 10, None), ("training: {epochs: 3}\n", 3, None), ("training: {steps: 40}\n", None, 40)],
)
def test_without_stages_training_itself_is_the_one_stage(
    tmp_path: Path, text: str, epochs: int | None, steps: int | None
) -> None:
    (stage,) = stages_of(tmp_path, text)
    assert (stage.epochs, stage.steps) == (epochs, steps)


def test_a_stages_own_length_replaces_that_of_training(tmp_path: Path) -> None:
    first, second = stages_of(tmp_path, "training: {steps: 40, stages: [{epochs: 3}, {}]}\n")
    assert (first.epochs, first.steps) == (3, None)
    assert (second.epochs, second.steps) == (None, 40)


@pytest.mark.parametrize("text", ["", "training: {steps: 40, optimizer: adam}\n", STAGES, AUGMENTED])
def test_the_complete_experiment_of_a_run_loads_back_to_the_same_stages(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(HEAD + text)
    experiment = load_experiment(str(tmp_path / "mine.yaml")).experiment
    (tmp_path / "again.yaml").write_text(experiment_text(experiment))
    again = load_experiment(str(tmp_path / "again.yaml")).experiment
    before = [stage.model_dump() for stage in experiment.training.resolved_stages()]
    assert [stage.model_dump() for stage in again.training.resolved_stages()] == before
    assert experiment_text(again) == experiment_text(experiment)
    assert again.digest() == experiment.digest()


def test_the_complete_experiment_names_the_epochs_that_run(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(HEAD)
    training = load_experiment(str(tmp_path / "mine.yaml")).experiment.complete()["training"]
    assert (training["epochs"], training["steps"], training["stages"]) == (10, None, [])
