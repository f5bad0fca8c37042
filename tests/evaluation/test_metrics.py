"""Metrics against scikit-learn, published numbers and plain formulas."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sklearn_metrics

from imgclf.errors import ImgclfError, WorkFailed
from imgclf.evaluation import metrics


@pytest.fixture(scope="module")
def logits() -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(scale=3, size=(500, 7)).astype(np.float32)


@pytest.fixture(scope="module")
def labels() -> NDArray[np.int32]:
    return np.random.default_rng(2).integers(0, 7, 500).astype(np.int32)


def test_cross_entropy_and_accuracy_are_those_of_scikit_learn(
    logits: NDArray[np.float32], labels: NDArray[np.int32]
) -> None:
    exponentials = np.exp(logits.astype(np.float64))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    assert metrics.probabilities(logits) == pytest.approx(probabilities, abs=1e-12)
    assert metrics.cross_entropy(logits, labels) == pytest.approx(sklearn_metrics.log_loss(labels, probabilities))
    assert metrics.accuracy(logits, labels) == sklearn_metrics.accuracy_score(labels, logits.argmax(axis=1))


def test_large_logits_do_not_overflow() -> None:
    logits = np.array([[3e38, -3e38], [-1e5, 1e5]], np.float32)
    log_probabilities = metrics.log_probabilities(logits)
    assert np.isfinite(log_probabilities).all()
    assert log_probabilities[1, 0] == -2e5
    assert metrics.probabilities(logits).tolist() == [[1, 0], [0, 1]]


def test_logits_that_are_not_finite_are_counted_by_image() -> None:
    logits = np.zeros((5, 3), np.float32)
    logits[1] = np.nan
    logits[4, 0] = np.inf
    with pytest.raises(WorkFailed, match="2 of 5 images"):
        metrics.log_probabilities(logits)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_top_k_accuracy_is_that_of_scikit_learn(logits: NDArray[np.float32], labels: NDArray[np.int32], k: int) -> None:
    assert metrics.top_k_accuracy(logits, labels, k) == sklearn_metrics.top_k_accuracy_score(labels, logits, k=k)


def test_top_1_accuracy_is_accuracy_also_where_logits_are_equal() -> None:
    logits, labels = np.zeros((4, 3), np.float32), np.array([0, 1, 2, 0])
    assert metrics.top_k_accuracy(logits, labels, 1) == metrics.accuracy(logits, labels) == 0.5
    assert metrics.top_k_accuracy(logits, labels, 2) == 0.75


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_is_that_of_newcombe_1998_table_1(correct: int, total: int, low: float, high: float) -> None:
    assert metrics.wilson_interval(correct, total) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_stays_within_0_and_1() -> None:
    assert metrics.wilson_interval(0, 10)[0] == 0.0
    assert metrics.wilson_interval(10, 10)[1] == 1.0
    assert metrics.wilson_interval(0, 0) == (0.0, 1.0)


def test_calibration_error_is_guos_formula(logits: NDArray[np.float32], labels: NDArray[np.int32]) -> None:
    probabilities = metrics.probabilities(logits)
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    expected = 0.0
    for m in range(1, 16):
        chosen = (confidence > (m - 1) / 15) & (confidence <= m / 15)
        if chosen.any():
            expected += chosen.sum() / len(labels) * abs(correct[chosen].mean() - confidence[chosen].mean())
    assert metrics.expected_calibration_error(probabilities, labels) == pytest.approx(expected)


def test_calibration_bins_hold_every_image_once_and_none_where_empty() -> None:
    probabilities = np.array([[1.0, 0.0], [0.5, 0.5], [0.2, 0.8]])
    bins = metrics.calibration_bins(probabilities, np.array([0, 1, 1]), bins=4)
    assert [entry["count"] for entry in bins] == [0, 1, 0, 2]
    assert bins[0] == {"lower": 0.0, "upper": 0.25, "count": 0, "confidence": None, "accuracy": None}
    assert bins[1] == {"lower": 0.25, "upper": 0.5, "count": 1, "confidence": 0.5, "accuracy": 0.0}
    assert (bins[3]["confidence"], bins[3]["accuracy"]) == (pytest.approx(0.9), 1.0)


def test_class_scores_and_averages_are_those_of_scikit_learn(
    logits: NDArray[np.float32], labels: NDArray[np.int32]
) -> None:
    predicted = logits.argmax(axis=1)
    expected = sklearn_metrics.classification_report(labels, predicted, output_dict=True, zero_division=0)
    for index, scores in enumerate(metrics.per_class(predicted, labels, 7)):
        of_class = expected[str(index)]
        assert scores["precision"] == of_class["precision"]
        assert scores["recall"] == of_class["recall"]
        assert scores["f1"] == of_class["f1-score"]
        assert scores["support"] == of_class["support"]
        assert scores["predicted"] == np.sum(predicted == index)
    for average in ("macro", "weighted"):
        scores = metrics.average_scores(predicted, labels, 7, average)
        wanted = expected[f"{average} avg"]
        assert scores == {
            "precision": pytest.approx(wanted["precision"]),
            "recall": pytest.approx(wanted["recall"]),
            "f1": pytest.approx(wanted["f1-score"]),
        }


def test_scores_that_are_0_by_0_are_none() -> None:
    never_predicted, without_images, neither = metrics.per_class(np.array([0, 0, 2]), np.array([0, 1, 0]), 4)[1:]
    assert never_predicted == {"precision": None, "recall": 0.0, "f1": 0.0, "support": 1, "predicted": 0}
    assert without_images == {"precision": 0.0, "recall": None, "f1": 0.0, "support": 0, "predicted": 1}
    assert neither == {"precision": None, "recall": None, "f1": None, "support": 0, "predicted": 0}


def test_most_confused_pairs_are_sorted_by_count_and_leave_out_what_never_happened() -> None:
    matrix = metrics.confusion_matrix(
        predicted=np.array([0, 1, 1, 2, 0, 0, 2, 2]), labels=np.array([0, 0, 0, 0, 1, 2, 2, 2]), classes=3
    )
    assert matrix.tolist() == [[1, 2, 1], [1, 0, 0], [1, 0, 2]]
    pairs = metrics.most_confused_pairs(matrix, ["a", "b", "c"])
    assert pairs[0] == {"true": "a", "predicted": "b", "count": 2, "share": 0.5}
    assert [(pair["true"], pair["predicted"]) for pair in pairs[1:]] == [("a", "c"), ("b", "a"), ("c", "a")]
    assert metrics.most_confused_pairs(matrix, ["a", "b", "c"], limit=1) == pairs[:1]
    assert matrix.trace() == 3


def test_paired_test_is_the_two_sided_binomial_of_the_differing_images() -> None:
    first = np.array([True] * 9 + [False] * 2 + [True] * 30)
    second = np.array([False] * 9 + [True] * 2 + [True] * 30)
    result = metrics.paired_test(first, second)
    assert (result.only_first, result.only_second) == (9, 2)
    assert result.p_value == pytest.approx(2 * sum(comb(11, k) for k in range(3)) / 2**11)


def test_paired_test_of_equal_models_has_p_1_and_of_unequal_counts_is_refused() -> None:
    assert metrics.paired_test(np.ones(5, bool), np.ones(5, bool)).p_value == 1.0
    with pytest.raises(ImgclfError, match="5 and 4 images"):
        metrics.paired_test(np.ones(5, bool), np.ones(4, bool))
