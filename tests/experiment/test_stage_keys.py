from __future__ import annotations

import json
from typing import Any

import pytest

from imgclf.experiment.differences import length_key
from imgclf.experiment.schema import Experiment
from imgclf.experiment.stage_keys import keys_to_change
from imgclf.experiment.validate import validate
from imgclf.experiment.yaml_text import parse


def experiment(**training: Any) -> Experiment:
    text = json.dumps({"dataset": "digits", "model": "lenet", "training": training})
    return validate(parse(text, "mine.yaml"), Experiment)


@pytest.mark.parametrize(
    ("training", "length", "learning_rate"),
    [
        ({}, "training.epochs", "training.optimizer.learning_rate"),
        ({"steps": 7}, "training.steps", "training.optimizer.learning_rate"),
        (
            {"stages": [{"epochs": 2}, {"steps": 3, "optimizer": {"name": "sgd"}}]},
            "training.stages[1].steps",
            "training.stages[1].optimizer.learning_rate",
        ),
        ({"epochs": 4, "stages": [{}, {}]}, "training.epochs", "training.optimizer.learning_rate"),
    ],
)
def test_advice_names_the_keys_where_the_last_stage_has_its_settings_from(
    training: dict[str, Any], length: str, learning_rate: str
) -> None:
    keys = keys_to_change(experiment(**training).training)
    assert (keys["length"], keys["learning_rate"]) == (length, learning_rate)


def test_the_key_that_makes_a_run_longer_is_one_that_may_change() -> None:
    assert length_key(experiment()) == "training.epochs"
    assert length_key(experiment(steps=7)) == "training.steps"
    assert length_key(experiment(stages=[{"epochs": 2}, {"steps": 3}])) == "training.stages.1.steps"
