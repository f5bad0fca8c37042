"""What only two classes have: a positive class, the curves of all thresholds, and a threshold that a rule picks.

An image is called positive where the probability of the positive class is at least the threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgclf.evaluation.settings import ThresholdRule

Floats = NDArray[np.float64]

NO_VALIDATION = "there are no validation images to pick it on"
ONE_CLASS = "the validation images are all of one class"
SAME_IMAGES = "picked on these very images, so that the figures at it are too good"


@dataclass(frozen=True)
class Scored:
    """Images of two classes: which are positive, and how likely each is to be.

    ``is_positive``: bool (images,). ``scores``: float64 (images,), the probability of the positive class.
    """

    is_positive: NDArray[np.bool_]
    scores: Floats

    @classmethod
    def of(cls, probabilities: Floats, labels: NDArray[np.integer], positive: int) -> Scored:
        """From probabilities (images, 2), labels (images,), and the label of the positive class."""
        return cls(labels == positive, probabilities[:, positive])

    @property
    def has_both_classes(self) -> bool:
        """Whether there is an image of each class; curves, areas and thresholds need that."""
        return 0 < int(self.is_positive.sum()) < len(self.is_positive)


def binary_report(
    evaluated: Scored, validation: Scored | None, positive_class: str, rule: ThresholdRule, split: str
) -> dict[str, Any]:
    """The part ``binary`` of a report: areas, the threshold that validation gives, and the figures at it."""
    threshold = pick_threshold(validation, rule) if validation and validation.has_both_classes else None
    return {
        "positive_class": positive_class,
        **areas(evaluated),
        "threshold_rule": rule,
        "threshold": threshold,
        "threshold_note": _note(validation, split),
        "at_threshold": None if threshold is None else figures_at(evaluated, threshold),
    }


def pick_threshold(scored: Scored, rule: ThresholdRule) -> float:
    """The threshold at which ``rule`` is highest, 0 to 1; of equally good ones the one nearest to one half.

    The candidates lie midway between neighbouring scores: at a score itself, an image that is a little less certain
    than the least certain one here would already be lost.
    """
    found = np.unique(scored.scores)
    candidates = (np.append(0.0, found) + np.append(found, 1.0)) / 2
    values = _RULES[rule](_counts(scored, candidates))
    best = candidates[values >= values.max() - 1e-12]
    return float(best[np.argmin(np.abs(best - 0.5))])


def figures_at(scored: Scored, threshold: float) -> dict[str, float | None]:
    """Precision, recall, specificity, F1 and accuracy at a threshold; what is 0/0 is None."""
    counts = _counts(scored, np.array([threshold]))
    values = {name: float(figure(counts)[0]) for name, figure in _FIGURES.items()}
    return {name: None if np.isnan(value) else value for name, value in values.items()}


def areas(scored: Scored) -> dict[str, float | None]:
    """``roc_area`` and ``average_precision``, 0 to 1; None where the images are all of one class."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    if not scored.has_both_classes:
        return {"roc_area": None, "average_precision": None}
    return {
        "roc_area": float(roc_auc_score(scored.is_positive, scored.scores)),
        "average_precision": float(average_precision_score(scored.is_positive, scored.scores)),
    }


def roc_points(scored: Scored) -> tuple[Floats, Floats]:
    """The false positive rates and recalls of all thresholds, from (0, 0) to (1, 1)."""
    from sklearn.metrics import roc_curve

    false_positive_rates, recalls, _ = roc_curve(scored.is_positive, scored.scores)
    return false_positive_rates, recalls


def precision_recall_points(scored: Scored) -> tuple[Floats, Floats]:
    """The recalls and precisions of all thresholds, recall falling, down to recall 0 at precision 1."""
    from sklearn.metrics import precision_recall_curve

    precisions, recalls, _ = precision_recall_curve(scored.is_positive, scored.scores)
    return recalls, precisions


@dataclass(frozen=True)
class _Counts:
    """Images called positive, rightly and wrongly, at several thresholds, and how many there are of each class."""

    hits: NDArray[np.int64]
    false_alarms: NDArray[np.int64]
    positives: int
    negatives: int

    def recall(self) -> Floats:
        return _ratio(self.hits, self.positives)

    def specificity(self) -> Floats:
        return _ratio(self.negatives - self.false_alarms, self.negatives)

    def precision(self) -> Floats:
        return _ratio(self.hits, self.hits + self.false_alarms)

    def f1(self) -> Floats:
        return _ratio(2 * self.hits, self.hits + self.false_alarms + self.positives)

    def accuracy(self) -> Floats:
        return _ratio(self.hits + self.negatives - self.false_alarms, self.positives + self.negatives)

    def balanced_accuracy(self) -> Floats:
        return (self.recall() + self.specificity()) / 2


_FIGURES: dict[str, Callable[[_Counts], Floats]] = {
    "precision": _Counts.precision,
    "recall": _Counts.recall,
    "specificity": _Counts.specificity,
    "f1": _Counts.f1,
    "accuracy": _Counts.accuracy,
}

_RULES: dict[ThresholdRule, Callable[[_Counts], Floats]] = {
    "youden": _Counts.balanced_accuracy,  # Youden's J is recall + specificity - 1: highest at the same place
    "balanced_accuracy": _Counts.balanced_accuracy,
    "f1": _Counts.f1,
    "accuracy": _Counts.accuracy,
}


def _counts(scored: Scored, thresholds: Floats) -> _Counts:
    positives, negatives = np.sort(scored.scores[scored.is_positive]), np.sort(scored.scores[~scored.is_positive])
    return _Counts(
        hits=len(positives) - np.searchsorted(positives, thresholds),
        false_alarms=len(negatives) - np.searchsorted(negatives, thresholds),
        positives=len(positives),
        negatives=len(negatives),
    )


def _ratio(numbers: NDArray[np.int64], of: NDArray[np.int64] | int) -> Floats:
    """The quotient; NaN where it is 0/0."""
    with np.errstate(invalid="ignore"):
        quotient: Floats = np.true_divide(numbers, of)
    return quotient


def _note(validation: Scored | None, split: str) -> str:
    if validation is None:
        return NO_VALIDATION
    if not validation.has_both_classes:
        return ONE_CLASS
    return SAME_IMAGES if split == "validation" else f"picked on {len(validation.scores):,} validation images"
