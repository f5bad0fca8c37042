"""Temperature scaling: one number that makes a network's probabilities as sure as it is right (Guo et al., 2017).

Everywhere: ``logits`` (images, classes), ``labels`` int (images,). Scaling changes no answer, only how sure it is.
"""

from __future__ import annotations

from math import exp, log

import numpy as np
from numpy.typing import NDArray

from imgclf.errors import ImgclfError
from imgclf.evaluation import metrics

SMALLEST, LARGEST = 1e-6, 1e3  # temperatures that are tried, in units of the logits' own spread


class NoTemperature(ImgclfError):
    """No temperature makes the probabilities better than any other."""


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The temperature T > 0 for which ``logits / T`` have the lowest cross-entropy, fitted over log T (section 4.2).

    The logits may be any finite scores of the classes, such as a support vector machine's. Raises NoTemperature where
    no temperature is best: of images that are all answered rightly (0 would be), or on which the logits say nothing
    (infinity would be); WorkFailed where logits are not finite.
    """
    if metrics.accuracy(logits, labels) == 1:
        raise NoTemperature(
            f"calibration: no temperature can be fitted where every answer is right, as for all {len(labels)} images",
            hint="Set aside more validation images (dataset.validation_size).",
        )
    values = logits.astype(np.float64)
    spread = float(np.sqrt(np.mean(np.square(values - values.mean(axis=1, keepdims=True)))))
    relative = _best(values / spread, labels) if spread else LARGEST
    if relative > LARGEST / 2:
        raise NoTemperature(
            f"calibration: no temperature can be fitted: on {len(labels)} images the outputs are no better than "
            "guessing, at whatever temperature"
        )
    return spread * relative


def _best(logits: NDArray[np.float64], labels: NDArray[np.integer]) -> float:
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log_temperature: metrics.cross_entropy(scaled(logits, exp(log_temperature)), labels),
        bounds=(log(SMALLEST), log(LARGEST)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return exp(float(found.x))


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
