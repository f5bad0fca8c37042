"""scripts/compare_configs pairs runs of two configs by their seed."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import imgclf
from imgclf.seeds import train_seeds

SCRIPT = Path(__file__).parents[2] / "scripts" / "compare_configs"
CONFIG = """
dataset: {name: digits, limit_per_class: 20}
model: perceptron
training:
  epochs: 2
  batch_size: 16
  optimizer: {name: sgd, learning_rate: LEARNING_RATE}
  tensorboard: {scalars: false, graph: false}
"""


def compare(folder: Path, *configs: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *configs, "--runs-dir", str(folder / "runs")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow  # trains four times, and starts two processes
def test_differences_are_paired_by_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    accuracies = {}
    for name, rate in (("slow", "0.01"), ("fast", "0.3"), ("alone", "0.1")):
        (tmp_path / f"{name}.yaml").write_text(CONFIG.replace("LEARNING_RATE", rate))
    for seed in (4, 3):
        result = imgclf.train("fast.yaml", overrides=[f"seed={seed}"], runs_dir="runs")
        accuracies["fast", seed] = result.report["accuracy"]
    for run in train_seeds("slow.yaml", 2, overrides=["seed=3"], runs_dir="runs").summary["runs"]:
        accuracies["slow", run["seed"]] = run["accuracy"]
    change = [accuracies["fast", seed] - accuracies["slow", seed] for seed in (3, 4)]
    error = abs(change[0] - change[1]) / 2
    p = 1 - 2 / math.pi * math.atan(abs(np.mean(change)) / error)  # of Student's t with one degree of freedom
    done = compare(tmp_path, "slow.yaml", "fast.yaml")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "fast.yaml against slow.yaml, seeds 3, 4"
    name, *numbers = lines[2].split()
    assert name == "accuracy"
    means = [np.mean([accuracies[config, seed] for seed in (3, 4)]) for config in ("slow", "fast")]
    assert [float(number) for number in numbers[:-1]] == pytest.approx([*means, np.mean(change), error], abs=6e-5)
    assert float(numbers[-1]) == pytest.approx(p, abs=6e-3)
    assert change[0] != change[1]

    missing = compare(tmp_path, "slow.yaml", "alone.yaml")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == "error: alone.yaml: must share two seeds or more with slow.yaml; shares []\n"
