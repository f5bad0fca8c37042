"""The report of a split: everything that ``report.json`` and ``evaluate --json`` hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgclf.errors import ImgclfError
from imgclf.evaluation import metrics
from imgclf.evaluation.binary import Scored, binary_report
from imgclf.evaluation.calibration import effect, scaled
from imgclf.evaluation.settings import EvaluationSettings

TOP_K = (3, 5)
BY_DEFAULT = EvaluationSettings()

Answers = tuple[NDArray[np.floating], NDArray[np.integer]]  # logits (images, classes), labels (images,)


def build_report(
    logits: NDArray[np.floating],
    labels: NDArray[np.integer],
    class_names: Sequence[str],
    split: str,
    *,
    settings: EvaluationSettings = BY_DEFAULT,
    validation: Answers | None = None,
    temperature: float | None = None,
) -> dict[str, Any]:
    """The report of one target, for JSON, as ``REPORT_SCHEMA`` describes it: no NaN, and equal for equal logits.

    ``logits`` are float32 (images, classes), ``labels`` int (images,), those of the model before any scaling: where a
    ``temperature`` is given, what is reported is of the scaled ones. ``validation`` are the validation images' answers,
    on which the threshold of two classes is picked; None: there are none. Raises ImgclfError where logits, labels and
    class names do not belong together, and WorkFailed where logits are not finite.
    """
    _check(logits, labels, class_names)
    report = _plain(logits if temperature is None else scaled(logits, temperature), labels, class_names, split)
    if len(class_names) == 2:
        report["binary"] = _binary((logits, labels), validation, class_names, split, settings, temperature)
    if temperature is not None:
        report["calibration"] = effect(logits, labels, temperature)
    return report


def _plain(
    logits: NDArray[np.floating], labels: NDArray[np.integer], class_names: Sequence[str], split: str
) -> dict[str, Any]:
    predicted = logits.argmax(axis=1)
    return {
        "split": split,
        "num_images": len(labels),
        **_accuracy(predicted == labels),
        "loss": metrics.cross_entropy(logits, labels),
        "top_k": {str(k): metrics.top_k_accuracy(logits, labels, k) for k in TOP_K if k < len(class_names)},
        "class_names": list(class_names),
        **_by_class(predicted, labels, class_names),
        **_calibration(logits, labels),
    }


def join_reports(reports: Mapping[str, dict[str, Any]], correct: NDArray[np.bool_]) -> dict[str, Any]:
    """The report of all targets, given each one's by name; of a single target it is that target's own.

    ``correct`` (images, targets) tells which answers are right. Accuracy is the mean over the targets and the loss
    their sum, as in training; the exact match ratio is the share of images whose answers are all right.
    """
    plain = list(reports.values())
    if len(plain) == 1:
        return dict(plain[0])
    matching = int(correct.all(axis=1).sum())
    return {
        "split": plain[0]["split"],
        "num_images": plain[0]["num_images"],
        "accuracy": float(np.mean([one["accuracy"] for one in plain])),
        "exact_match_ratio": matching / len(correct),
        "exact_match_interval": list(metrics.wilson_interval(matching, len(correct))),
        "loss": float(sum(one["loss"] for one in plain)),
        "targets": dict(reports),
    }


def _binary(
    evaluated: Answers,
    validation: Answers | None,
    class_names: Sequence[str],
    split: str,
    settings: EvaluationSettings,
    temperature: float | None,
) -> dict[str, Any]:
    positive = settings.positive_label(class_names)

    def scored(answers: Answers) -> Scored:
        logits, labels = answers
        return Scored.of(metrics.probabilities(scaled(logits, temperature or 1.0)), labels, positive)

    picked_on = None if validation is None else scored(validation)
    return binary_report(scored(evaluated), picked_on, class_names[positive], settings.threshold, split)


def _check(logits: NDArray[np.floating], labels: NDArray[np.integer], class_names: Sequence[str]) -> None:
    if len(labels) == 0:
        raise ImgclfError("evaluation: the split must hold at least one image; got none")
    if logits.shape != (len(labels), len(class_names)):
        raise ImgclfError(
            f"evaluation: outputs must have the shape (images, classes) = ({len(labels)}, {len(class_names)}); "
            f"got {logits.shape}",
            hint="The weights belong to another data set, or the run's experiment was changed.",
        )
    if labels.min() < 0 or labels.max() >= len(class_names):
        raise ImgclfError(
            f"evaluation: labels must be from 0 to {len(class_names) - 1}; got {labels.min()} to {labels.max()}"
        )


def _accuracy(correct: NDArray[np.bool_]) -> dict[str, Any]:
    share = float(correct.mean())
    return {
        "accuracy": share,
        "accuracy_interval": list(metrics.wilson_interval(int(correct.sum()), len(correct))),
        "standard_error": sqrt(share * (1 - share) / len(correct)),
    }


def _by_class(
    predicted: NDArray[np.integer], labels: NDArray[np.integer], class_names: Sequence[str]
) -> dict[str, Any]:
    names, classes = list(class_names), len(class_names)
    matrix = metrics.confusion_matrix(predicted, labels, classes)
    scores = metrics.per_class(predicted, labels, classes)
    return {
        "per_class": [{"class_name": name, **entry} for name, entry in zip(names, scores, strict=True)],
        "macro_average": metrics.average_scores(predicted, labels, classes, "macro"),
        "weighted_average": metrics.average_scores(predicted, labels, classes, "weighted"),
        "confusion_matrix": matrix.tolist(),
        "most_confused": metrics.most_confused_pairs(matrix, names),
    }


def _calibration(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> dict[str, Any]:
    bins = metrics.calibration_bins(metrics.probabilities(logits), labels)
    return {"calibration_error": metrics.calibration_error(bins), "calibration_bins": bins}
