"""The confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imgclf.reporting.style import INK, LINES, new_figure, picture, shortened, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CLASSES_WITH_COUNTS = 20
MOST_CLASSES_WITH_NAMES = 100
NAME_CHARACTERS = 22


def draw_confusion(matrix: ArrayLike, class_names: Sequence[str], title: str = "Confusion matrix") -> bytes:
    """A PNG of a confusion matrix: counts (classes, classes), rows true, columns predicted.

    The colour is the share of the row, on a square-root scale, so that a confusion of 1 % is seen beside a diagonal of
    95 %. Up to 20 classes the counts stand in the cells; past 100 classes only some names are shown.
    """
    from matplotlib.colors import PowerNorm

    counts = np.asarray(matrix, dtype=np.int64)
    classes = len(class_names)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [shortened(name, NAME_CHARACTERS) for name in class_names]
    with styled():
        side = _side(classes)
        margin = 1.2 + 0.075 * max(map(len, names))
        figure = new_figure(side + margin + 0.9, side + margin)
        axes = figure.subplots()
        image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1), interpolation="nearest")
        _label(axes, names, title)
        if classes <= MOST_CLASSES_WITH_COUNTS:
            _write_counts(axes, counts, shares)
        bar = figure.colorbar(image, ax=axes, shrink=0.75, aspect=30, ticks=[0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1])
        bar.ax.set_yticklabels(["0", "1 %", "5 %", "10 %", "25 %", "50 %", "75 %", "100 %"])
        bar.set_label("share of the true class")
        bar.outline.set_visible(False)
        return picture(figure)


def _side(classes: int) -> float:
    """Inches of the matrix itself: wide cells where counts stand in them, at most 13 inches in all."""
    cell = 0.5 if classes <= MOST_CLASSES_WITH_COUNTS else 0.2
    return float(np.clip(cell * classes, 2.0, 13.0))


def _label(axes: Axes, names: list[str], title: str) -> None:
    few = len(names) <= MOST_CLASSES_WITH_COUNTS
    places = np.arange(0, len(names), -(-len(names) // MOST_CLASSES_WITH_NAMES))
    shown, size = [names[place] for place in places], 9 if few else 7
    axes.set_yticks(places, shown, fontsize=size)
    axes.set_xticks(places, shown, fontsize=size, rotation=0 if few else 90)
    if few and max(map(len, names)) > 3:
        axes.tick_params(axis="x", labelrotation=45)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.set(xlabel="predicted", ylabel="true", title=title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[:].set_color(LINES)
    axes.tick_params(length=0)


def _write_counts(axes: Axes, counts: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    size = 8 if counts.max(initial=0) < 10_000 else 6.5
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.4 else INK if count else "#afb8c1"
        axes.text(column, row, str(count), ha="center", va="center", fontsize=size, color=colour)
