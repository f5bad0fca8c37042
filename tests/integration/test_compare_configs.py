"""scripts/compare_configs pairs runs of two configs by their seed."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score

import imgclf
from imgclf.seeds import train_seeds

SCRIPT = Path(__file__).parents[2] / "scripts" / "compare_configs"
ROWS = {
    "accuracy": "accuracy",
    "probability": "mean probability of the positive class",
    "balanced": "balanced accuracy",
}
CONFIG = """
dataset: {name: npz, path: digits.npz, test_images: test_images, test_labels: test_labels, validation_size: 60}
model: perceptron
training:
  epochs: 2
  batch_size: 16
  optimizer: {name: sgd, learning_rate: LEARNING_RATE}
  tensorboard: {scalars: false, graph: false}
"""


def write_digits(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's threes and eights (0 and 1), half of them for the test; what is returned are these."""
    digits = load_digits()
    kept = np.isin(digits.target, (3, 8))
    images = np.rint(digits.images[kept] * (255 / 16)).astype(np.uint8)
    labels = (digits.target[kept] == 8).astype(np.int32)
    arrays = {"train_images": images[::2], "train_labels": labels[::2]}
    np.savez(file, test_images=images[1::2], test_labels=labels[1::2], **arrays)
    return images[1::2], labels[1::2]


def compare(folder: Path, *configs: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *configs, "--runs-dir", str(folder / "runs")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def expected(pairs: list[tuple[float, float]]) -> list[float]:
    """Means, mean difference, its standard error and p, of figures of two seeds: Student's t has one degree then."""
    (before, after), change = np.mean(pairs, axis=0), [after - before for before, after in pairs]
    error = abs(change[0] - change[1]) / 2
    return [before, after, after - before, error, 1 - 2 / math.pi * math.atan(abs(after - before) / error)]


@pytest.mark.slow  # trains four times, and starts two processes
def test_differences_are_paired_by_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    images, labels = write_digits(tmp_path / "digits.npz")
    for name, rate in (("slow", "0.01"), ("fast", "0.3"), ("alone", "0.1")):
        (tmp_path / f"{name}.yaml").write_text(CONFIG.replace("LEARNING_RATE", rate))
    for seed in (4, 3):
        imgclf.train("fast.yaml", overrides=[f"seed={seed}"], runs_dir="runs")
    train_seeds("slow.yaml", 2, overrides=["seed=3"], runs_dir="runs")

    done = compare(tmp_path, "slow.yaml", "fast.yaml")
    assert done.returncode == 0, done.stderr
    first, _, *rows = done.stdout.splitlines()
    assert first == "fast.yaml against slow.yaml, seeds 3, 4"
    table = {" ".join(row.split()[:-5]): [float(number) for number in row.split()[-5:]] for row in rows}
    found = {name: [] for name in ROWS}
    for seed in (3, 4):
        runs = [next(tmp_path.glob(f"runs/slow*/seed-{seed}"))]
        runs += [path.parent for path in tmp_path.glob("runs/fast*/run.json") if f'"seed": {seed}' in path.read_text()]
        eight = [np.array([one.probabilities[1] for one in imgclf.load_run(run).predict(images)]) for run in runs]
        found["accuracy"].append(tuple(np.mean((one > 0.5) == labels) for one in eight))
        found["probability"].append(tuple(one.mean() for one in eight))
        found["balanced"].append(tuple(balanced_accuracy_score(labels, one > 0.5) for one in eight))
    for name, row in ROWS.items():
        assert table[row][:4] == pytest.approx(expected(found[name])[:4], abs=6e-5)
        assert table[row][4] == pytest.approx(expected(found[name])[4], abs=6e-3)

    missing = compare(tmp_path, "slow.yaml", "alone.yaml")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == "error: alone.yaml: must share two seeds or more with slow.yaml; shares []\n"
