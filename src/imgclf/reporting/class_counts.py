"""How many images each class has, as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imgclf.reporting.style import (
    CYCLE,
    FAINT_INK,
    TRAINING,
    VALIDATION,
    new_figure,
    open_frame,
    picture,
    shortened,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS = 120  # of more classes, those with the most and with the fewest images are drawn
NAME_CHARACTERS = 40
_COLOURS = {"train": TRAINING, "validation": VALIDATION, "test": CYCLE[2]}


def draw_class_counts(class_names: Sequence[str], counts: Mapping[str, NDArray[np.int64]], heading: str) -> bytes:
    """A PNG with a bar for each class: its images in each split, by the split's name, one after the other.

    ``counts`` holds int64 (classes,) a split. Beside each bar stands its whole number of images.
    """
    totals = np.sum(list(counts.values()), axis=0)
    shown = _chosen(totals)
    thickness = 0.26 if len(shown) <= 30 else 0.17
    with styled():
        figure = new_figure(9, 1.4 + thickness * len(shown))
        axes = figure.subplots()
        left = np.zeros(len(shown), np.int64)
        for split, of_classes in counts.items():
            axes.barh(range(len(shown)), of_classes[shown], left=left, height=0.72, color=_COLOURS[split], label=split)
            left += of_classes[shown]
        _name(axes, [class_names[label] for label in shown], totals[shown], 9 if thickness > 0.2 else 7)
        axes.set_title(heading)
        if len(shown) < len(totals):
            axes.set_title(f"{heading}: the {MOST_BARS // 2} largest and the {MOST_BARS // 2} smallest")
            axes.axhline(MOST_BARS / 2 - 0.5, color=FAINT_INK, linewidth=1, linestyle=":")
        figure.legend(loc="outside lower center", ncols=len(counts))
        return picture(figure)


def _chosen(totals: NDArray[np.int64]) -> NDArray[np.int64]:
    """All classes in their order; where they are too many, the largest and the smallest, by size."""
    if len(totals) <= MOST_BARS:
        return np.arange(len(totals))
    by_size = np.argsort(-totals, kind="stable")
    return np.concatenate([by_size[: MOST_BARS // 2], by_size[-(MOST_BARS // 2) :]])


def _name(axes: Axes, names: Sequence[str], totals: NDArray[np.int64], points: int) -> None:
    from matplotlib.ticker import MaxNLocator

    open_frame(axes)
    axes.grid(visible=False, axis="y")
    axes.set_yticks(range(len(names)), [shortened(name, NAME_CHARACTERS) for name in names], fontsize=points)
    axes.set_ylim(len(names) - 0.4, -0.6)  # the first class on top
    axes.set_xlim(0, max(1, int(totals.max())) * 1.08)  # room for the numbers
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("images")
    for place, total in enumerate(totals):
        axes.annotate(
            f"{total:,}", (total, place), (4, 0), textcoords="offset points", va="center", color=FAINT_INK, size=points
        )
