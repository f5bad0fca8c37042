"""The diagnosis: one history of each kind, and what is said about it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.dummy import DummyClassifier

from imgclf.evaluation.diagnosis import Kind, chance_of, diagnose


def _history(training: list[float], validation: list[float], validation_loss: list[float]) -> list[dict[str, Any]]:
    rows = zip(training, validation, validation_loss, strict=True)
    return [
        {
            "epoch": epoch,
            "loss": 1 - accuracy,
            "accuracy": accuracy,
            "validation_accuracy": right,
            "validation_loss": loss,
        }
        for epoch, (accuracy, right, loss) in enumerate(rows, 1)
    ]


FITS = _history(
    [0.8, 0.9, 0.95, 0.97, 0.975, 0.976], [0.85, 0.93, 0.955, 0.96, 0.96, 0.96], [0.5, 0.3, 0.2, 0.2, 0.2, 0.2]
)
OVERFITS_BY_GAP = _history(
    [0.6, 0.8, 0.9, 0.95, 0.98, 0.99], [0.6, 0.7, 0.75, 0.75, 0.75, 0.75], [1.0, 0.8, 0.8, 0.8, 0.8, 0.8]
)
OVERFITS_BY_LOSS = _history(
    [0.9, 0.95, 0.97, 0.98, 0.99, 1.0], [0.9, 0.94, 0.95, 0.95, 0.955, 0.96], [0.3, 0.2, 0.2, 0.22, 0.25, 0.28]
)
UNDERFITS = _history(
    [0.3, 0.35, 0.38, 0.39, 0.39, 0.39], [0.3, 0.35, 0.38, 0.38, 0.38, 0.38], [2, 1.9, 1.8, 1.8, 1.8, 1.8]
)
IMPROVES = _history([0.3, 0.4, 0.5, 0.6, 0.7, 0.8], [0.3, 0.4, 0.5, 0.6, 0.7, 0.8], [2, 1.8, 1.6, 1.4, 1.2, 1.0])
UNVALIDATED = [{"epoch": 1, "loss": 0.4, "accuracy": 0.875, "validation_loss": None, "validation_accuracy": None}]


def test_advice_names_the_keys_of_the_run() -> None:
    keys = {"length": "a.steps", "learning_rate": "b.learning_rate", "early_stopping": "c.early_stopping"}
    advice = [
        text
        for history in (FITS, OVERFITS_BY_GAP, UNDERFITS, IMPROVES, FITS[:4], UNVALIDATED)
        for text in diagnose(history, chance=0.1, validation_images=100_000, keys=keys).advice
    ]
    told = " ".join(advice)
    assert all(key in told for key in keys.values())
    assert "training." not in told


@pytest.mark.parametrize(
    ("history", "kind"),
    [
        (FITS, "fits"),
        (OVERFITS_BY_GAP, "overfits"),
        (OVERFITS_BY_LOSS, "overfits"),
        (UNDERFITS, "underfits"),
        (IMPROVES, "still improving"),
        (UNVALIDATED, "no validation"),
        ([], "no validation"),
        (FITS[:4], "too short to tell"),
    ],
)
def test_each_kind_is_told_and_has_advice(history: list[dict[str, Any]], kind: Kind) -> None:
    diagnosis = diagnose(history, chance=0.1, validation_images=100_000)
    assert diagnosis.kind == kind
    assert diagnosis.seen
    assert diagnosis.advice


def test_the_numbers_seen_are_means_of_the_last_third() -> None:
    seen = " ".join(diagnose(OVERFITS_BY_GAP, chance=0.1, validation_images=100_000).seen)
    assert "validation accuracy was 0.750 on average, training accuracy 0.973 (gap +0.223)" in seen
    assert "the most frequent class alone would reach 0.100" in seen


def test_a_long_run_is_judged_by_its_last_third_alone() -> None:
    flat = _history([0.96] * 20, [0.95] * 20, [0.2] * 20)
    assert diagnose([*IMPROVES, *flat], chance=0.1, validation_images=100_000).kind == "fits"


def test_a_falling_loss_is_no_overfit_although_its_mean_lies_above_its_last() -> None:
    history = _history(
        [0.5, 0.6, 0.7, 0.8, 0.9, 0.95], [0.47, 0.57, 0.67, 0.77, 0.87, 0.92], [2, 1.6, 1.2, 0.8, 0.5, 0.3]
    )
    assert diagnose(history, chance=0.1, validation_images=100_000).kind == "still improving"


def test_training_accuracy_below_validation_is_called_normal() -> None:
    lagging = _history([0.90] * 6, [0.95] * 6, [0.2] * 6)
    diagnosis = diagnose(lagging, chance=0.1, validation_images=100_000)
    assert diagnosis.kind == "fits"
    assert any("normal" in sentence for sentence in diagnosis.seen)


def test_a_model_at_chance_is_told_about_the_learning_rate_first() -> None:
    diagnosis = diagnose(_history([0.1] * 6, [0.1] * 6, [2.3] * 6), chance=0.1, validation_images=100_000)
    assert diagnosis.kind == "underfits"
    assert "training.optimizer.learning_rate" in diagnosis.advice[0]


def test_the_same_accuracy_underfits_ten_classes_less_than_two() -> None:
    history = _history([0.8] * 6, [0.8] * 6, [0.5] * 6)
    assert diagnose(history, chance=0.1, validation_images=100_000).kind == "fits"
    assert diagnose(history, chance=0.5, validation_images=100_000).kind == "underfits"


def test_rows_without_validation_between_and_missing_training_accuracy_are_no_obstacle() -> None:
    rows: list[dict[str, Any]] = []
    for row in UNDERFITS:
        rows += [{**row, "accuracy": None}, {**row, "validation_accuracy": None, "validation_loss": None}]
    assert diagnose(rows, chance=0.1, validation_images=100_000).kind == "underfits"


def test_a_run_that_stopped_early_is_not_told_to_train_longer() -> None:
    assert diagnose(IMPROVES, chance=0.1, validation_images=100_000).kind == "still improving"
    stopped = diagnose(IMPROVES, chance=0.1, validation_images=100_000, stopped_early=True)
    assert stopped.kind != "still improving"
    assert not any("Train longer" in advice for advice in stopped.advice)


def test_a_loss_that_lies_above_its_lowest_is_no_improvement() -> None:
    losses = [0.5, 0.2, 0.1, 0.14, 0.13, 0.12]  # on its way down again, but 30 % above its lowest
    run = _history([0.9, 0.95, 0.96, 0.97, 0.975, 0.98], [0.9, 0.95, 0.96, 0.965, 0.97, 0.98], losses)
    assert diagnose(run, chance=0.1, validation_images=100_000).kind == "fits"


@pytest.mark.parametrize(("images", "kind"), [(100, "fits"), (10_000, "still improving")])
def test_a_rise_within_the_interval_of_the_accuracy_is_no_trend(images: int, kind: Kind) -> None:
    rising = [0.80, 0.85, 0.88, 0.90, 0.91, 0.92, 0.92, 0.94, 0.96]
    history = _history(rising, rising, [2, 1.8, 1.6, 1.4, 1.2, 1.0, 0.9, 0.8, 0.7])
    diagnosis = diagnose(history, chance=0.1, validation_images=images)
    interval = binomtest(round(0.94 * images), images).proportion_ci(method="wilson")
    assert diagnosis.kind == kind
    assert f"known to about {(interval.high - interval.low) / 2:.3f}" in diagnosis.seen[-1]


@pytest.mark.parametrize(("images", "kind"), [(50, "fits"), (10_000, "overfits")])
def test_a_gap_within_the_interval_of_the_accuracy_is_no_overfit(images: int, kind: Kind) -> None:
    history = _history([0.97] * 6, [0.90] * 6, [0.3] * 6)
    assert diagnose(history, chance=0.1, validation_images=images).kind == kind


def test_chance_is_the_share_of_the_most_frequent_class() -> None:
    labels = np.array([[0, 0], [0, 1], [0, 2], [1, 3]])
    assert chance_of(labels) == pytest.approx((3 / 4 + 1 / 4) / 2)
    dummy = DummyClassifier(strategy="most_frequent").fit(labels, labels[:, 0])
    assert chance_of(labels[:, :1]) == dummy.score(labels, labels[:, 0])


def test_answering_the_most_frequent_class_of_unequal_ones_is_no_fit() -> None:
    history = _history([0.9] * 6, [0.9] * 6, [0.4] * 6)
    assert diagnose(history, chance=0.9, validation_images=1000).kind == "underfits"
