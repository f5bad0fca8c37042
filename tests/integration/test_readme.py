"""What the README shows is what the program does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from imgclf.experiment.load import load_experiment
from imgclf.experiment.shipped import find_config

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def block(after: str, kind: str) -> str:
    """The first fenced block of a kind behind a text of the README."""
    found = re.search(rf"```{kind}\n(.*?)```", README[README.index(after) :], re.DOTALL)
    assert found is not None
    return found[1]


def test_the_mistakes_of_the_readmes_file_are_told_as_the_readme_says(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(block("This `mine.yaml`", "yaml"), encoding="utf-8")
    command = [sys.executable, "-m", "imgclf", "train", "mine.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == block("with exit status 2 and", "")


def test_the_whole_of_lenet_mnist_is_the_shipped_config() -> None:
    shown, shipped = (
        yaml.safe_load(block("This is the whole of", "yaml")),
        yaml.safe_load(find_config("lenet_mnist").read_text()),
    )
    assert shown == {key: value for key, value in shipped.items() if key != "reference"}
    assert load_experiment("lenet_mnist").experiment.training.epochs == 20


def test_the_file_on_two_classes_is_an_experiment_that_loads(tmp_path: Path) -> None:
    shown = block("## Two classes, calibration", "yaml")
    (tmp_path / "pets.yaml").write_text(shown, encoding="utf-8")
    assert load_experiment(str(tmp_path / "pets.yaml")).experiment.evaluation.positive_class == "dog"


@pytest.mark.slow  # a process that imports TensorFlow and trains
def test_the_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    Image.fromarray((digits.images[0] * 255 / 16).round().astype("uint8")).save(tmp_path / "digit.png")
    example = block("## From Python", "python").replace("training.epochs=5", "training.epochs=2")
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-c", example]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"0\.\d+ runs/lenet_digits-\d{8}-\d{6}\n[0-9]\n", done.stdout)
