"""Numbers from logits and labels: what a report holds, each from one function.

Everywhere: ``logits`` float32 (images, classes), ``labels`` int (images,), ``probabilities`` float64 (images, classes).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgclf.errors import ImgclfError, WorkFailed

Z_95 = 1.959963984540054  # the normal distribution's 97.5 % quantile: a two-sided 95 % interval


@dataclass(frozen=True)
class PairedTest:
    """The exact McNemar test of two models on the same images: the images that only one of them gets right."""

    only_first: int
    only_second: int
    p_value: float


def log_probabilities(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """The logarithm of softmax, float64 (images, classes), without overflow for any finite logits.

    Raises WorkFailed where logits are NaN or infinite.
    """
    failed = int(np.sum(~np.isfinite(logits).all(axis=1)))
    if failed:
        raise WorkFailed(
            f"evaluation: the model's outputs must be finite; {failed} of {len(logits)} images got NaN or infinity",
            hint="The weights have likely diverged: train with a smaller learning rate, or evaluate earlier weights.",
        )
    shifted = logits.astype(np.float64)
    shifted -= logits.max(axis=1, keepdims=True)  # in place: of many images each copy counts
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def probabilities(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Softmax, float64 (images, classes); each row sums to 1. Raises WorkFailed where logits are not finite."""
    values = log_probabilities(logits)
    return np.exp(values, out=values)


def cross_entropy(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The mean over the images of -log(probability of the true class), in nats."""
    return float(-log_probabilities(logits)[np.arange(len(labels)), labels].mean())


def accuracy(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The share of images whose largest logit is that of the true class (of equal logits, the first class counts)."""
    return float(np.mean(logits.argmax(axis=1) == labels))


def top_k_accuracy(logits: NDArray[np.floating], labels: NDArray[np.integer], k: int) -> float:
    """The share of images whose true class is among the ``k`` largest logits; k=1 is ``accuracy``, ties included."""
    true = logits[np.arange(len(labels)), labels][:, None]
    before = np.arange(logits.shape[1]) < labels[:, None]
    rank = ((logits > true) | ((logits == true) & before)).sum(axis=1)
    return float(np.mean(rank < k))


def wilson_interval(correct: float, total: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of ``correct`` in ``total`` (Wilson, 1927), within [0, 1]; 95 % by default."""
    if total == 0:
        return 0.0, 1.0
    share, spread = correct / total, z * z / total
    middle = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    low = 0.0 if correct == 0 else max(0.0, middle - half)
    return low, 1.0 if correct == total else min(1.0, middle + half)


def calibration_bins(
    probabilities: NDArray[np.float64], labels: NDArray[np.integer], bins: int = 15
) -> list[dict[str, Any]]:
    """Images by the probability of their most probable class: ``bins`` of equal width over [0, 1], each (lower, upper].

    Each bin has ``lower``, ``upper``, ``count``, and its mean ``confidence`` and ``accuracy``, None where it is empty.
    """
    confidence = np.minimum(probabilities.max(axis=1), 1.0)
    correct = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    position = np.maximum(np.digitize(confidence, edges, right=True), 1) - 1
    return [
        _bin(edges[index], edges[index + 1], confidence[position == index], correct[position == index])
        for index in range(bins)
    ]


def expected_calibration_error(
    probabilities: NDArray[np.float64], labels: NDArray[np.integer], bins: int = 15
) -> float:
    """How far confidence lies from accuracy, mean over the images, by bins (Guo et al., 2017, equation 3); 0 to 1.

    It judges the probability of the most probable class alone, as is usual: calibration of the confidence, or top-label
    (Kumar, Liang and Ma, 2019, Verified Uncertainty Calibration, section 2). Of two classes too, where others judge the
    positive class's probability.
    """
    return calibration_error(calibration_bins(probabilities, labels, bins))


def calibration_error(bins: list[dict[str, Any]]) -> float:
    """The expected calibration error of bins that ``calibration_bins`` made."""
    filled = [entry for entry in bins if entry["count"]]
    total = sum(entry["count"] for entry in filled)
    return float(sum(entry["count"] / total * abs(entry["accuracy"] - entry["confidence"]) for entry in filled))


def per_class(predicted: NDArray[np.integer], labels: NDArray[np.integer], classes: int) -> list[dict[str, Any]]:
    """Precision, recall, F1, support (images of the class) and predicted (images given the class), one entry a class.

    What is 0/0 is None: precision of a class that was never predicted, recall of one that has no image, F1 of one that
    has neither.
    """
    precision, recall, f1, support = _scores(predicted, labels, classes, average=None)
    given = np.bincount(predicted, minlength=classes)
    return [
        {
            "precision": float(precision[index]) if given[index] else None,
            "recall": float(recall[index]) if support[index] else None,
            "f1": float(f1[index]) if given[index] + support[index] else None,
            "support": int(support[index]),
            "predicted": int(given[index]),
        }
        for index in range(classes)
    ]


def average_scores(
    predicted: NDArray[np.integer], labels: NDArray[np.integer], classes: int, average: str
) -> dict[str, float]:
    """Precision, recall and F1 averaged over the classes, ``macro`` (alike) or ``weighted`` (by support).

    scikit-learn's convention with ``zero_division=0``: what is 0/0 for a class counts as 0, also in the macro average.
    """
    precision, recall, f1, _ = _scores(predicted, labels, classes, average=average)
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1)}


def confusion_matrix(predicted: NDArray[np.integer], labels: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Counts of images, int64 (classes, classes): rows are the true classes, columns the predicted ones."""
    from sklearn.metrics import confusion_matrix as count_pairs

    matrix: NDArray[np.int64] = count_pairs(labels, predicted, labels=np.arange(classes)).astype(np.int64)
    return matrix


def most_confused_pairs(matrix: NDArray[np.integer], class_names: list[str], limit: int = 10) -> list[dict[str, Any]]:
    """The most frequent mistakes, by count: {true, predicted, count, share}; share of the true class."""
    mistakes = np.array(matrix)
    np.fill_diagonal(mistakes, 0)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:limit]
    pairs = [divmod(int(place), len(class_names)) for place in order if mistakes.flat[place]]
    return [
        {
            "true": class_names[true],
            "predicted": class_names[predicted],
            "count": int(matrix[true, predicted]),
            "share": float(matrix[true, predicted] / matrix[true].sum()),
        }
        for true, predicted in pairs
    ]


def paired_test(correct_first: NDArray[np.bool_], correct_second: NDArray[np.bool_]) -> PairedTest:
    """The exact McNemar test of two models on the same images, in the same order (McNemar, 1947; binomial form).

    ``p_value`` is the probability of a split at least as uneven if both models were equally good; 1 where they never
    differ. Raises ImgclfError where the counts of images differ.
    """
    from scipy.stats import binomtest

    if len(correct_first) != len(correct_second):
        raise ImgclfError(
            "comparison: both models must be evaluated on the same images; "
            f"got {len(correct_first)} and {len(correct_second)} images",
            hint="Compare runs of one data set and one split.",
        )
    only_first = int(np.sum(correct_first & ~correct_second))
    only_second = int(np.sum(~correct_first & correct_second))
    differing = only_first + only_second
    p_value = float(binomtest(only_first, differing, 0.5).pvalue) if differing else 1.0
    return PairedTest(only_first, only_second, p_value)


def _bin(lower: float, upper: float, confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> dict[str, Any]:
    filled = len(confidence) > 0
    return {
        "lower": float(lower),
        "upper": float(upper),
        "count": len(confidence),
        "confidence": float(confidence.mean()) if filled else None,
        "accuracy": float(correct.mean()) if filled else None,
    }


def _scores(
    predicted: NDArray[np.integer], labels: NDArray[np.integer], classes: int, average: str | None
) -> tuple[Any, Any, Any, Any]:
    from sklearn.metrics import precision_recall_fscore_support

    scores: tuple[Any, Any, Any, Any] = precision_recall_fscore_support(
        labels, predicted, labels=np.arange(classes), average=average, zero_division=0
    )
    return scores
