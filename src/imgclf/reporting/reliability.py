"""The reliability diagram: how far a model's confidence can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imgclf.reporting.style import FAINT_INK, TRAINING, WRONG, new_figure, open_frame, picture, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Bin = Mapping[str, Any]


@dataclass(frozen=True)
class Reliability:
    """The calibration bins of some probabilities, and their expected calibration error.

    A bin has ``lower``, ``upper``, ``count``, ``confidence`` and ``accuracy``, the last two None where it is empty.
    """

    bins: Sequence[Bin]
    error: float


def draw_reliability(by_title: Mapping[str, Reliability]) -> bytes:
    """A PNG of accuracy by confidence with the diagonal, and below it where the confidences lie: a column a title."""
    with styled():
        figure = new_figure(5.6 * len(by_title), 6.4)
        columns = figure.subplots(2, len(by_title), sharex=True, sharey="row", height_ratios=[3, 1], squeeze=False).T
        for (upper, lower), (title, one) in zip(columns, by_title.items(), strict=True):
            filled = [entry for entry in one.bins if entry["count"]]
            _draw_accuracy(upper, filled, one.error, title)
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
