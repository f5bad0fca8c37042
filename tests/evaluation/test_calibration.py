"""Temperature scaling: against cases whose answer is known, and a plain grid."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from imgclf.errors import ImgclfError, WorkFailed
from imgclf.evaluation.calibration import effect, fit_temperature, scaled

Answers = tuple[NDArray[np.float32], NDArray[np.int64]]


def known_shares(times: float) -> Answers:
    """Images in four kinds of ten, whose classes come up exactly as often as ``times``-th of the logits say."""
    shares = np.array([[7, 2, 1], [1, 8, 1], [4, 3, 3], [1, 4, 5]])
    logits = np.repeat(times * np.log(shares / 10), 10, axis=0).astype(np.float32)
    return logits, np.concatenate([np.repeat(np.arange(3), row) for row in shares])


def noisy(images: int = 500, classes: int = 4, sureness: float = 5.0, seed: int = 0) -> Answers:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, images)
    logits = random.normal(size=(images, classes))
    logits[np.arange(images), labels] += 1
    return (sureness * logits).astype(np.float32), labels


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def calibration_error(shares: NDArray[np.float64], labels: NDArray[np.int64], bins: int = 15) -> float:
    """Guo et al. (2017), equation 3, written out."""
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == labels
    bin_of = np.ceil(confidence * bins)
    gaps = [abs(right[bin_of == b].sum() - confidence[bin_of == b].sum()) for b in np.unique(bin_of)]
    return float(sum(gaps) / len(labels))


@pytest.mark.parametrize("times", [0.2, 1.0, 1.43, 3.0, 25.0])
def test_logits_that_are_k_times_the_true_log_shares_have_the_temperature_k(times: float) -> None:
    assert fit_temperature(*known_shares(times)) == pytest.approx(times, rel=1e-5)


@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_the_temperature_goes_with_the_size_of_the_logits(size: float) -> None:
    logits, labels = noisy()
    wanted = size * fit_temperature(logits, labels)
    assert fit_temperature((size * logits).astype(np.float32), labels) == pytest.approx(wanted, rel=1e-4)


def test_logits_that_are_all_equal_have_no_temperature() -> None:
    with pytest.raises(ImgclfError, match="no better than guessing"):
        fit_temperature(np.ones((6, 2), np.float32), np.arange(6) % 2)


def test_two_classes_and_log_odds_too() -> None:
    odds = np.log(np.array([0.9 / 0.1, 0.6 / 0.4]))
    logits = np.repeat(np.stack([np.zeros(2), 2.5 * odds], axis=1), 10, axis=0).astype(np.float32)
    labels = np.array([1] * 9 + [0] + [1] * 6 + [0] * 4)
    assert fit_temperature(logits, labels) == pytest.approx(2.5, rel=1e-5)


def test_no_temperature_of_a_fine_grid_has_a_lower_cross_entropy() -> None:
    logits, labels = noisy()
    grid = np.exp(np.linspace(np.log(1), np.log(30), 301))
    losses = [log_loss(labels, softmax(logits.astype(np.float64) / one)) for one in grid]
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(grid[int(np.argmin(losses))], rel=0.012)
    assert log_loss(labels, softmax(logits.astype(np.float64) / found)) <= min(losses) + 1e-9


def test_the_effect_is_that_of_the_formulas_written_out() -> None:
    (logits, labels), temperature = noisy(seed=3), 2.5
    plain, after = softmax(logits.astype(np.float64)), softmax(logits.astype(np.float64) / temperature)
    assert effect(logits, labels, temperature) == pytest.approx(
        {
            "temperature": temperature,
            "calibration_error_before": calibration_error(plain, labels),
            "calibration_error_after": calibration_error(after, labels),
            "loss_before": log_loss(labels, plain),
            "loss_after": log_loss(labels, after),
        }
    )


def test_scaling_changes_no_answer_also_where_logits_are_all_but_equal() -> None:
    logits = np.random.default_rng(0).normal(size=(1000, 5)).astype(np.float32)
    logits[:, 1] = np.nextafter(logits[:, 0], np.float32(9))
    for temperature in (0.01, 0.7, 3.0, 900.0):
        np.testing.assert_array_equal(scaled(logits, temperature).argmax(axis=1), logits.argmax(axis=1))


def test_where_every_answer_is_right_or_none_says_anything_there_is_no_temperature() -> None:
    with pytest.raises(ImgclfError, match="every answer is right, as for all 3 images"):
        fit_temperature(np.eye(3, dtype=np.float32), np.arange(3))
    with pytest.raises(ImgclfError, match="no better than guessing"):
        fit_temperature(np.eye(3, dtype=np.float32), (np.arange(3) + 1) % 3)
    with pytest.raises(WorkFailed, match="must be finite"):
        fit_temperature(np.full((2, 2), np.nan, np.float32), np.array([0, 1]))
