from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

Imgclf = Callable[..., Any]

BROKEN = "dataset: {name: digits}\nmodel: {name: lenet, fliters: [3]}\ntraining: {epochs: 0}\n"


def test_list_names_every_shipped_config_with_what_it_shows(imgclf: Imgclf) -> None:
    answer = imgclf("config", "list")
    folder = Path(__file__).parents[2] / "configs"
    names = [line.split()[0] for line in answer.out.splitlines()[1:]]
    assert names == sorted(path.stem for path in folder.glob("*.yaml"))
    assert "LeNet with ReLU and max pooling on MNIST, trained by plain gradient descent.\n" in answer.out
    assert [entry["name"] for entry in json.loads(imgclf("config", "list", "--json").out)] == names


def test_show_prints_the_complete_experiment_with_overrides(imgclf: Imgclf) -> None:
    options = ("lenet_digits", "--set", "training.epochs=3")
    shown = yaml.safe_load(imgclf("config", "show", *options).out)
    assert shown == json.loads(imgclf("config", "show", *options, "--json").out)
    assert (shown["training"]["epochs"], shown["training"]["label_smoothing"], shown["seed"]) == (3, 0.0, 0)
    assert next(iter(shown["training"]["optimizer"])) == "name"


def test_check_says_ok_for_each_file_that_is(imgclf: Imgclf) -> None:
    answer = imgclf("config", "check", "lenet_digits", "lenet_mnist")
    assert (answer.status, answer.out, answer.err) == (0, "lenet_digits: ok\nlenet_mnist: ok\n", "")


def test_check_looks_for_the_layers_that_are_named(imgclf: Imgclf) -> None:
    answer = imgclf("config", "check", "lenet_digits", "--set", "training.trainable=nosuch")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("error: --set training.trainable=nosuch: training.trainable: expected all, head, or")
    assert imgclf("config", "check", "lenet_digits", "--set", "training.trainable=conv_2").status == 0
    transfer = "model={name: transfer, run: latest, cut: any}"  # the earlier run's network is not read here
    assert imgclf("config", "check", "lenet_digits", "--set", transfer).status == 0


def test_a_name_that_no_file_can_have_is_told_and_the_next_file_is_checked(imgclf: Imgclf) -> None:
    answer = imgclf("config", "check", "x" * 300, "lenet_digits")
    assert (answer.status, answer.out) == (2, "lenet_digits: ok\n")
    assert answer.err == f"error: {'x' * 300}: cannot be read: File name too long\n"


def test_check_tells_all_problems_of_all_files(imgclf: Imgclf, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(BROKEN)
    answer = imgclf("config", "check", path, "lenet_digits", tmp_path / "none.yaml")
    assert (answer.status, answer.out) == (2, "lenet_digits: ok\n")
    assert answer.err.splitlines()[:2] == [
        f'error: {path}:2: model.fliters: unknown key; did you mean "filters"?',
        f"error: {path}:3: training.epochs: expected a whole number of 1 or more, or null, found 0",
    ]
    assert "none.yaml: no such file" in answer.err


def test_check_takes_overrides(imgclf: Imgclf) -> None:
    answer = imgclf("config", "check", "lenet_digits", "--set", "training.epochs=x")
    assert answer.status == 2
    assert answer.err.startswith("error: --set training.epochs=x: training.epochs: expected")


def test_check_finds_a_warmup_that_outlasts_the_training(imgclf: Imgclf) -> None:
    change = "training.schedule={name: cosine, warmup_epochs: 50}"
    answer = imgclf("config", "check", "lenet_digits", "--set", change)
    assert (answer.status, answer.err.splitlines()[0]) == (
        2,
        f"error: --set {change}: training.schedule.warmup_epochs: must end before the stage does, after 30 epochs; "
        "got 50",
    )


@pytest.mark.parametrize(
    ("of", "good", "bad"),
    [
        ("experiment", {"dataset": "digits", "model": {"name": "lenet"}}, {"dataset": "digits"}),
        ("predictions", [{"file": "a.png", "error": "not an image"}], [{"file": "a.png"}]),
        ("report", None, {}),
    ],
)  # fmt: skip
def test_schema_is_the_schema_of_the_document(imgclf: Imgclf, of: str, good: object, bad: object) -> None:
    schema = json.loads(imgclf("config", "schema", "--of", of).out)
    Draft202012Validator.check_schema(schema)
    assert good is None or Draft202012Validator(schema).is_valid(good)
    assert not Draft202012Validator(schema).is_valid(bad)


def test_schema_is_that_of_experiments_by_default_and_lists_the_plain_names(imgclf: Imgclf) -> None:
    validator = Draft202012Validator(json.loads(imgclf("config", "schema").out))
    both = {"dataset": "digits", "model": "lenet"}
    assert validator.is_valid({**both, "training": {"optimizer": "muon", "schedule": "cosine"}})
    assert not validator.is_valid({**both, "training": {"optimizer": "adm"}})
