"""How numbers scatter, against Python's statistics module and SciPy."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from imgclf.evaluation.report import build_report, join_reports
from imgclf.evaluation.spread import figures, spread, spreads

VALUES = [0.91, 0.94, 0.9, 0.97, 0.935]


def test_a_spread_is_that_of_the_statistics_module_and_of_scipy() -> None:
    found = spread(VALUES)
    assert (found["n"], found["minimum"], found["maximum"]) == (5, 0.9, 0.97)
    assert found["mean"] == pytest.approx(statistics.fmean(VALUES))
    assert found["standard_deviation"] == pytest.approx(statistics.stdev(VALUES))
    expected = stats.t.interval(0.95, 4, loc=statistics.fmean(VALUES), scale=stats.sem(VALUES))
    assert found["interval"] == pytest.approx(list(expected))


def test_an_interval_stays_where_a_mean_can_be() -> None:
    accuracies = [0.9, 0.99]
    low, high = stats.t.interval(0.95, 1, loc=statistics.fmean(accuracies), scale=stats.sem(accuracies))
    assert low < 1 < high
    assert spread(accuracies)["interval"] == pytest.approx([low, 1.0])
    cut = spreads([{"accuracy": one, "loss": one, "seconds": one} for one in accuracies], endless=("loss", "seconds"))
    assert cut["loss"]["interval"] == pytest.approx([low, high])
    assert cut["seconds"]["interval"] == pytest.approx([low, high])
    assert spread([0.01, 0.2])["interval"][0] == 0.0


def test_one_value_has_neither_deviation_nor_interval() -> None:
    found = spread([0.5])
    assert found == {
        "n": 1, "mean": 0.5, "standard_deviation": None, "minimum": 0.5, "maximum": 0.5, "interval": None
    }  # fmt: skip


def test_equal_values_have_an_interval_without_width() -> None:
    found = spread([0.5, 0.5, 0.5])
    assert (found["standard_deviation"], found["interval"]) == (0.0, [0.5, 0.5])


def test_no_value_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        spread([])


def test_spreads_are_by_figure() -> None:
    found = spreads([{"accuracy": 0.5, "loss": 1.0}, {"accuracy": 0.7, "loss": 2.0}])
    assert {name: one["mean"] for name, one in found.items()} == pytest.approx({"accuracy": 0.6, "loss": 1.5})
    assert spreads([]) == {}


def test_figures_are_every_metric_of_a_report_that_is_one_number() -> None:
    logits = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    report = build_report(logits, np.arange(50) % 6, list("abcdef"), "test")
    averages = [f"{kind}_average.{score}" for kind in ("macro", "weighted") for score in ("precision", "recall", "f1")]
    found = figures(report)
    assert set(found) == {"accuracy", "loss", "calibration_error", "top_k.3", "top_k.5", *averages}
    assert found["macro_average.f1"] == report["macro_average"]["f1"]
    joined = join_reports({"one": report, "two": report}, np.ones((50, 2), np.bool_))
    assert set(figures(joined)) == {"accuracy", "exact_match_ratio", "loss"}


def test_figures_of_two_classes_are_there_too_but_those_that_are_none() -> None:
    logits = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    found = figures(build_report(logits, np.arange(50) % 2, ["cat", "dog"], "test"))
    assert found["binary.roc_area"] == pytest.approx(roc_auc_score(np.arange(50) % 2, logits[:, 1] - logits[:, 0]))
    assert "binary.threshold" not in found  # there are no validation images to pick it on


def test_a_figure_that_a_run_lacks_counts_the_others() -> None:
    found = spreads([{"accuracy": 0.5}, {"accuracy": 0.7, "binary.threshold": 0.4}])
    assert (found["accuracy"]["n"], found["binary.threshold"]["n"]) == (2, 1)
