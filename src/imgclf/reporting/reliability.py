"""The reliability diagram: how far a model's confidence can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imgclf.reporting.style import FAINT_INK, TRAINING, WRONG, new_figure, open_frame, picture, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Bin = Mapping[str, Any]


def draw_reliability(calibration_bins: Sequence[Bin], calibration_error: float, title: str = "Reliability") -> bytes:
    """A PNG of accuracy by confidence with the diagonal, and below it where the confidences lie.

    A bin has ``lower``, ``upper``, ``count``, ``confidence`` and ``accuracy``, the last two None where it is empty.
    """
    filled = [entry for entry in calibration_bins if entry["count"]]
    with styled():
        figure = new_figure(5.6, 6.4)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        _draw_accuracy(upper, filled, calibration_error, title)
        _draw_counts(lower, filled)
        return picture(figure)


def _draw_accuracy(axes: Axes, bins: list[Bin], calibration_error: float, title: str) -> None:
    axes.plot([0, 1], [0, 1], "--", color=FAINT_INK, linewidth=1, label="confidence = accuracy")
    axes.bar(
        _lefts(bins),
        [entry["accuracy"] for entry in bins],
        _widths(bins),
        align="edge",
        color=TRAINING,
        alpha=0.75,
        edgecolor="white",
        label="accuracy",
    )
    confidences = [entry["confidence"] for entry in bins]
    axes.vlines(confidences, confidences, [entry["accuracy"] for entry in bins], color=WRONG, linewidth=2, label="gap")
    axes.plot(confidences, [entry["accuracy"] for entry in bins], "o", color=WRONG, markersize=3)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="accuracy", title=title)
    axes.set_title(f"expected calibration error {calibration_error:.4f}", loc="right", fontsize=9, fontweight="normal")
    axes.legend(loc="upper left", frameon=True, framealpha=0.9, edgecolor="white")
    open_frame(axes)


def _draw_counts(axes: Axes, bins: list[Bin]) -> None:
    total = sum(entry["count"] for entry in bins)
    shares = [100 * entry["count"] / total for entry in bins]
    axes.bar(_lefts(bins), shares, _widths(bins), align="edge", color=FAINT_INK, edgecolor="white")
    axes.set(xlabel="confidence (probability of the predicted class)", ylabel="images (%)")
    open_frame(axes)


def _lefts(bins: list[Bin]) -> list[float]:
    return [entry["lower"] for entry in bins]


def _widths(bins: list[Bin]) -> list[float]:
    return [entry["upper"] - entry["lower"] for entry in bins]
