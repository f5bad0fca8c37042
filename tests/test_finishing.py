from __future__ import annotations

import numpy as np
import pytest

from imgclf.datasets.base import ArrayPixels, Split, Splits, Target
from imgclf.evaluation.diagnosis import KEYS
from imgclf.finishing import diagnosis_of
from imgclf.training.observer import Row
from imgclf.training.progress import Outcome


@pytest.fixture
def splits() -> Splits:
    """5,000 images of two classes, half of each, all of them for validation."""
    labels = np.arange(5000, dtype=np.int32)[:, None] % 2
    split = Split(ArrayPixels(np.zeros((5000, 1, 1, 1), np.uint8)), labels)
    return Splits(split, split, lambda: split, len(split), (Target("class", ("a", "b")),), "", ())


def rising() -> list[Row]:
    accuracies = np.linspace(0.4, 0.8, 10)
    return [
        {"learning_rate": 0.1, "loss": 1 - one, "accuracy": one, "validation_loss": 1 - one, "validation_accuracy": one}
        for one in accuracies.tolist()
    ]


@pytest.mark.parametrize(("stages", "improves"), [([], True), ([0], True), ([1], False), ([0, 1], False)])
def test_of_two_stages_only_the_last_ones_early_stop_is_the_end_of_a_run_that_improves(
    stages: list[int], improves: bool, splits: Splits
) -> None:
    outcome = Outcome(history=rising())
    for number in (0, 1):
        outcome.stage = number
        if number in stages:
            outcome.stop(f"stage {number + 1} stopped early")
    assert (diagnosis_of(outcome, splits, KEYS).kind == "still improving") == improves
