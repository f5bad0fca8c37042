"""What is generated is fresh, and the shipped configs are what they say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from imgclf.experiment.load import experiment_text, load_experiment
from imgclf.experiment.schema import Experiment
from imgclf.experiment.shipped import shipped_configs, summary
from imgclf.experiment.validate import validate
from imgclf.experiment.yaml_text import parse, read

ROOT = Path(__file__).parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
ONE_CONFIG = pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
LIKE_NUMBERS = [
    "1e-3", "1e5", "0o17", "0x1F", "1.5", "-2", ".5", "12:30", "0b11", "1_000", "null", "~", "true", "yes", "on",
    ".inf", "2026-11-22", "text", "a: b", "# no comment", "", " padded ", "line\nbreak", "<<", "=", "é",
]  # fmt: skip


def test_generated_files_are_fresh() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "write_docs"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_program_ships_the_configs_of_the_checkout() -> None:
    assert [path.name for path in shipped_configs()] == [path.name for path in CONFIGS]
    assert CONFIGS


@ONE_CONFIG
def test_a_config_is_valid_also_by_the_json_schema_that_it_names(config: Path) -> None:
    first, second = config.read_text(encoding="utf-8").splitlines()[:2]
    assert first == "# yaml-language-server: $schema=experiment.schema.json"
    assert second.startswith("# ")
    assert summary(config).endswith(".")
    load_experiment(str(config))
    schema = json.loads((config.parent / "experiment.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(read(config).data)


@ONE_CONFIG
def test_a_reference_is_that_of_the_config_as_it_stands(config: Path) -> None:
    experiment = load_experiment(str(config)).experiment
    if experiment.reference is not None:
        assert experiment.reference.digest == experiment.digest()


@ONE_CONFIG
def test_the_complete_text_of_a_config_is_the_same_experiment(config: Path) -> None:
    experiment = load_experiment(str(config)).experiment
    again = validate(parse(experiment_text(experiment), "again"), Experiment)
    assert (again.digest(), again.stages()) == (experiment.digest(), experiment.stages())
    assert again.model_copy(update={"training": None}) == experiment.model_copy(update={"training": None})


@pytest.mark.parametrize("text", LIKE_NUMBERS)
def test_a_text_stays_a_text_when_an_experiment_is_written(text: str) -> None:
    accuracy = {"mean": 0.5, "minimum": 0.5, "maximum": 0.5, "standard_error": 1e-7}
    plain = {"machine": text, "date": "2026-11-22", "version": "1.0", "digest": "123456789012"}
    data = {
        "dataset": {"name": "digits"},
        "model": {"name": "mlp"},
        "training": {"epochs": 10, "class_weight": {str(digit): 1e-5 + digit for digit in range(10)}},
        "reference": {"accuracy": accuracy, "seeds": [0], "seconds": 1e16, **plain},
    }
    experiment = Experiment.model_validate_json(json.dumps(data))
    assert validate(parse(experiment_text(experiment), "again"), Experiment) == experiment
