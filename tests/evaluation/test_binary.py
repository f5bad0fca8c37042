"""Two classes: areas, curves and thresholds, each against scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from imgclf.evaluation.binary import (
    ONE_CLASS,
    Scored,
    binary_report,
    figures_at,
    pick_threshold,
    precision_recall_points,
    roc_points,
)
from imgclf.evaluation.settings import ThresholdRule

SCORE_OF_RULE: dict[ThresholdRule, Callable[..., float]] = {
    "youden": balanced_accuracy_score,
    "balanced_accuracy": balanced_accuracy_score,
    "f1": f1_score,
    "accuracy": accuracy_score,
}


def _scored(images: int = 300, share: float = 0.3, seed: int = 0) -> Scored:
    random = np.random.default_rng(seed)
    is_positive = random.random(images) < share
    scores = 1 / (1 + np.exp(-random.normal(np.where(is_positive, 0.2, -1.3), 1.0)))
    return Scored(is_positive, scores.round(2))  # rounded, so that there are ties


def _two(is_positive: list[int], scores: list[float]) -> Scored:
    return Scored(np.array(is_positive, bool), np.array(scores))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rule", get_args(ThresholdRule))
def test_no_threshold_is_better_by_the_rule_than_the_one_that_is_picked(rule: ThresholdRule, seed: int) -> None:
    scored = _scored(seed=seed)
    threshold = pick_threshold(scored, rule)
    score = SCORE_OF_RULE[rule]
    tried = [score(scored.is_positive, scored.scores >= one) for one in {0.0, 2.0, *scored.scores}]
    assert score(scored.is_positive, scored.scores >= threshold) == pytest.approx(max(tried), abs=1e-12)


def test_the_threshold_of_youden_is_the_point_of_the_roc_curve_farthest_above_the_diagonal() -> None:
    scored = _scored()
    false_positives, recalls, thresholds = roc_curve(scored.is_positive, scored.scores, drop_intermediate=False)
    best = thresholds[np.argmax(recalls - false_positives)]
    next_lower = scored.scores[scored.scores < best].max()
    assert pick_threshold(scored, "youden") == pytest.approx((best + next_lower) / 2)


def test_between_classes_that_lie_apart_the_threshold_is_in_the_middle() -> None:
    assert pick_threshold(_two([0, 0, 1, 1], [0.1, 0.2, 0.9, 0.95]), "f1") == pytest.approx(0.55)


def test_of_equally_good_thresholds_the_one_nearest_to_one_half_is_picked() -> None:
    # 0.16 takes both positives and one negative, 0.58 one positive and no negative: balanced accuracy 0.75 each.
    assert pick_threshold(_two([0, 1, 0, 1], [0.02, 0.3, 0.46, 0.7]), "youden") == pytest.approx(0.58)


def test_where_calling_none_positive_is_most_accurate_the_threshold_lies_above_all() -> None:
    scored = _two([0, 0, 0, 1], [0.3, 0.6, 0.7, 0.5])
    threshold = pick_threshold(scored, "accuracy")
    assert 0.7 < threshold < 1
    found = figures_at(scored, threshold)
    assert (found["precision"], found["recall"], found["accuracy"]) == (None, 0, 0.75)


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.25, 0.5, 0.7])
def test_the_figures_at_a_threshold_are_those_of_scikit_learn(threshold: float) -> None:
    scored = _scored(seed=5)
    called = scored.scores >= threshold
    truth: Any = scored.is_positive
    assert figures_at(scored, threshold) == pytest.approx(
        {
            "precision": precision_score(truth, called),
            "recall": recall_score(truth, called),
            "specificity": recall_score(~truth, ~called),
            "f1": f1_score(truth, called),
            "accuracy": accuracy_score(truth, called),
        }
    )


def test_areas_and_curves_are_those_of_scikit_learn() -> None:
    scored = _scored()
    report = binary_report(scored, _scored(seed=1), "dog", "f1", "test")
    assert report["roc_area"] == roc_auc_score(scored.is_positive, scored.scores)
    assert report["average_precision"] == average_precision_score(scored.is_positive, scored.scores)
    for found, wanted in zip(roc_points(scored), roc_curve(scored.is_positive, scored.scores)[:2], strict=True):
        np.testing.assert_array_equal(found, wanted)
    precisions, recalls, _ = precision_recall_curve(scored.is_positive, scored.scores)
    np.testing.assert_array_equal(precision_recall_points(scored), (recalls, precisions))


def test_the_threshold_comes_from_validation_and_its_figures_from_the_evaluated_images() -> None:
    evaluated, validation = _scored(seed=1), _scored(images=40, seed=2)
    report = binary_report(evaluated, validation, "dog", "f1", "test")
    assert report["threshold"] == pick_threshold(validation, "f1") != pick_threshold(evaluated, "f1")
    assert report["at_threshold"]["f1"] == f1_score(evaluated.is_positive, evaluated.scores >= report["threshold"])
    assert report["threshold_note"] == "picked on 40 validation images"
    same = binary_report(validation, validation, "dog", "f1", "validation")
    assert "picked on these very images" in same["threshold_note"]


def test_without_validation_images_of_both_classes_there_is_no_threshold_and_the_report_says_why() -> None:
    report = binary_report(_scored(), None, "dog", "f1", "test")
    assert (report["threshold"], report["at_threshold"]) == (None, None)
    assert report["threshold_note"] == "there are no validation images to pick it on"
    one_class = binary_report(_scored(), _two([1, 1], [0.3, 0.4]), "dog", "f1", "test")
    assert (one_class["threshold"], one_class["threshold_note"]) == (None, ONE_CLASS)


def test_images_of_one_class_have_no_areas_and_what_is_nothing_of_nothing_is_none() -> None:
    only_negative = _two([0, 0], [0.3, 0.6])
    report = binary_report(only_negative, _scored(), "dog", "f1", "test")
    assert (report["roc_area"], report["average_precision"]) == (None, None)
    assert figures_at(only_negative, 0.5) == {
        "precision": 0.0, "recall": None, "specificity": 0.5, "f1": 0.0, "accuracy": 0.5,
    }  # fmt: skip
