"""The report: what it holds, that it is JSON, and that it is the same each time."""

from __future__ import annotations

import json
from math import sqrt
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, softmax
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, average_precision_score, log_loss, roc_auc_score

from imgclf.errors import ImgclfError, WorkFailed
from imgclf.evaluation.report import build_report, join_reports
from imgclf.evaluation.settings import EvaluationSettings


def _report(classes: int, images: int = 300) -> dict[str, Any]:
    random = np.random.default_rng(classes)
    labels = random.integers(0, classes, images)
    logits = random.normal(size=(images, classes)).astype(np.float32)
    logits[np.arange(images), labels] += 2
    return build_report(logits, labels, [f"class {index}" for index in range(classes)], "test")


def test_report_agrees_with_its_confusion_matrix() -> None:
    report = _report(10)
    matrix = np.array(report["confusion_matrix"])
    assert matrix.sum() == report["num_images"] == 300
    assert report["accuracy"] == matrix.trace() / 300
    assert report["standard_error"] == pytest.approx(sqrt(report["accuracy"] * (1 - report["accuracy"]) / 300))
    assert report["accuracy_interval"][0] < report["accuracy"] < report["accuracy_interval"][1]
    assert [entry["support"] for entry in report["per_class"]] == matrix.sum(axis=1).tolist()
    assert [entry["class_name"] for entry in report["per_class"]] == report["class_names"]
    assert report["weighted_average"]["recall"] == pytest.approx(report["accuracy"])
    assert sum(entry["count"] for entry in report["calibration_bins"]) == 300


@pytest.mark.parametrize(("classes", "keys"), [(2, set()), (4, {"3"}), (5, {"3"}), (6, {"3", "5"})])
def test_top_k_is_given_for_k_below_the_number_of_classes(classes: int, keys: set[str]) -> None:
    assert set(_report(classes)["top_k"]) == keys


def test_equal_logits_give_equal_reports_as_json_without_nan() -> None:
    assert json.dumps(_report(6), allow_nan=False) == json.dumps(_report(6), allow_nan=False)


def test_a_model_that_gives_one_class_only_makes_a_report_without_nan() -> None:
    logits = np.zeros((4, 3), np.float32)
    report = build_report(logits, np.array([1, 1, 1, 1]), ["a", "b", "c"], "validation")
    json.dumps(report, allow_nan=False)
    assert report["accuracy"] == 0.0
    assert report["per_class"][1]["precision"] is None


def _answers(images: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, images)
    logits = random.normal(size=(images, 2)).astype(np.float32) * 3
    logits[np.arange(images), labels] += 2
    return logits, labels


@pytest.mark.parametrize(("positive", "label"), [(None, 1), ("cat", 0), ("dog", 1)])
def test_two_classes_have_areas_of_the_positive_class(positive: str | None, label: int) -> None:
    logits, labels = _answers(200, 0)
    settings = EvaluationSettings(positive_class=positive, threshold="f1")
    found = build_report(
        logits, labels, ["cat", "dog"], "test", settings=settings, validation=_answers(50, 1), temperature=3.0
    )["binary"]
    assert (found["positive_class"], found["threshold_rule"]) == (["cat", "dog"][label], "f1")
    margins = logits[:, label] - logits[:, 1 - label]
    assert found["roc_area"] == pytest.approx(roc_auc_score(labels == label, margins))
    assert found["average_precision"] == pytest.approx(average_precision_score(labels == label, margins))
    called = expit(margins.astype(np.float64) / 3) >= found["threshold"]
    assert found["at_threshold"]["accuracy"] == accuracy_score(labels == label, called)
    assert "binary" not in _report(3)


def test_a_temperature_changes_loss_and_calibration_and_nothing_else() -> None:
    logits, labels = _answers(400, 0)
    plain = build_report(logits, labels, ["cat", "dog"], "test")
    after = build_report(logits, labels, ["cat", "dog"], "test", temperature=2.0)
    told = after.pop("calibration")
    assert (told["loss_before"], told["calibration_error_before"]) == (plain["loss"], plain["calibration_error"])
    assert (told["loss_after"], told["calibration_error_after"]) == (after["loss"], after["calibration_error"])
    shares = softmax(logits.astype(np.float64) / 2, axis=1)
    assert after["loss"] == pytest.approx(log_loss(labels, shares))
    assert {key for key in plain if plain[key] != after[key]} == {"loss", "calibration_error", "calibration_bins"}


def test_what_does_not_belong_together_is_refused() -> None:
    logits = np.zeros((4, 3), np.float32)
    with pytest.raises(ImgclfError, match=r"\(4, 2\)"):
        build_report(logits, np.zeros(4, int), ["a", "b"], "test")
    with pytest.raises(ImgclfError, match="0 to 2; got 0 to 3"):
        build_report(logits, np.array([0, 1, 2, 3]), ["a", "b", "c"], "test")
    with pytest.raises(ImgclfError, match="at least one image"):
        build_report(logits[:0], np.zeros(0, int), ["a", "b", "c"], "test")
    with pytest.raises(WorkFailed, match="4 of 4 images"):
        build_report(logits * np.nan, np.zeros(4, int), ["a", "b", "c"], "test")


def test_the_report_of_a_single_target_is_its_own() -> None:
    report = _report(4)
    assert join_reports({"label": report}, np.ones((300, 1), bool)) == report


def test_several_targets_are_joined_by_mean_sum_and_exact_match() -> None:
    reports = {"colour": _report(4), "shape": _report(3)}
    correct = np.array([[True, True]] * 200 + [[True, False]] * 60 + [[False, False]] * 40)
    joined = join_reports(reports, correct)
    assert joined["exact_match_ratio"] == accuracy_score(np.ones((300, 2), bool), correct)  # all of a row must agree
    interval = binomtest(200, 300).proportion_ci(method="wilson")
    assert joined["exact_match_interval"] == pytest.approx([interval.low, interval.high])
    assert joined["accuracy"] == pytest.approx((reports["colour"]["accuracy"] + reports["shape"]["accuracy"]) / 2)
    assert joined["loss"] == pytest.approx(reports["colour"]["loss"] + reports["shape"]["loss"])
    assert joined["targets"] == reports
