"""Temperature scaling: one number that makes a network's probabilities as sure as it is right (Guo et al., 2017).

Everywhere: ``logits`` (images, classes), ``labels`` int (images,). Scaling changes no answer, only how sure it is.
"""

from __future__ import annotations

from math import exp, log

import numpy as np
from numpy.typing import NDArray

from imgclf.errors import ImgclfError
from imgclf.evaluation import metrics

LARGEST = 1000.0  # a temperature beyond it, or below its inverse, is no minimum but the end of the search


class NoTemperature(ImgclfError):
    """No temperature makes the probabilities better than any other."""


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The temperature T > 0 for which ``logits / T`` have the lowest cross-entropy, fitted over log T (section 4.2).

    The logits may be any finite scores of the classes, such as a support vector machine's. Raises NoTemperature where
    no temperature is best: of images that are all answered rightly (0 would be), or on which the logits say nothing
    (infinity would be); WorkFailed where logits are not finite.
    """
    from scipy.optimize import minimize_scalar

    if metrics.accuracy(logits, labels) == 1:
        raise NoTemperature(
            f"calibration: no temperature can be fitted where every answer is right, as for all {len(labels)} images",
            hint="Set aside more validation images (dataset.validation_size).",
        )
    found = minimize_scalar(
        lambda log_temperature: metrics.cross_entropy(scaled(logits, exp(log_temperature)), labels),
        bounds=(-log(LARGEST), log(LARGEST)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    temperature = exp(float(found.x))
    if temperature > LARGEST / 2:
        raise NoTemperature(
            f"calibration: no temperature can be fitted: on {len(labels)} images the outputs are no better than "
            "guessing, at whatever temperature"
        )
    return temperature


def scaled(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """The logits divided by a temperature, float64: different float32 logits stay different, so no answer changes."""
    return logits.astype(np.float64) / temperature


def effect(logits: NDArray[np.floating], labels: NDArray[np.integer], temperature: float) -> dict[str, float]:
    """The part ``calibration`` of a report: the temperature, and error and loss before and after scaling by it."""
    after = scaled(logits, temperature)
    return {
        "temperature": temperature,
        "calibration_error_before": metrics.expected_calibration_error(metrics.probabilities(logits), labels),
        "calibration_error_after": metrics.expected_calibration_error(metrics.probabilities(after), labels),
        "loss_before": metrics.cross_entropy(logits, labels),
        "loss_after": metrics.cross_entropy(after, labels),
    }
