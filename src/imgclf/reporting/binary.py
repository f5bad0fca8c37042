"""The curves of two classes: what every threshold does, and where the chosen one lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from numpy.typing import ArrayLike

from imgclf.reporting.style import FAINT_INK, TRAINING, VALIDATION, new_figure, open_frame, picture, shortened, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE_CHARACTERS = 34
MARGIN = 0.02  # of the axes, beyond 0 and 1, so that a curve along the edge is seen


@dataclass(frozen=True)
class Point:
    """A place on a curve, and what it is called."""

    x: float
    y: float
    label: str


def draw_roc(
    false_positive_rates: ArrayLike, recalls: ArrayLike, area: float, chosen: Point | None, title: str
) -> bytes:
    """A PNG of the ROC curve, with the diagonal of guessing, and the chosen threshold marked where there is one."""
    with styled():
        figure = new_figure(5.2, 5.2)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], "--", color=FAINT_INK, linewidth=1, label="guessing (area 0.5)")
        axes.plot(false_positive_rates, recalls, color=TRAINING, linewidth=1.8, label="each threshold")
        axes.set(xlabel="false positive rate (1 - specificity)", ylabel="recall (true positive rate)")
        _finish(axes, title, f"area {area:.4f}", chosen, "lower right")
        return picture(figure)


def draw_precision_recall(
    recalls: ArrayLike,
    precisions: ArrayLike,
    average_precision: float,
    share: float,
    chosen: Point | None,
    title: str,
) -> bytes:
    """A PNG of precision by recall, with the line of guessing, and the chosen threshold marked where there is one.

    ``share`` is the positive class's share of the images: the precision of guessing. The curve goes in steps, since
    the average precision is the area under these.
    """
    with styled():
        figure = new_figure(5.2, 5.2)
        axes = figure.subplots()
        axes.axhline(share, linestyle="--", color=FAINT_INK, linewidth=1, label=f"guessing ({share:.3g})")
        axes.step(recalls, precisions, where="post", color=TRAINING, linewidth=1.8, label="each threshold")
        axes.set(xlabel="recall", ylabel="precision")
        _finish(axes, title, f"average precision {average_precision:.4f}", chosen, "lower center")
        return picture(figure)


def _finish(
    axes: Axes, title: str, area: str, chosen: Point | None, corner: Literal["lower right", "lower center"]
) -> None:
    if chosen is not None:
        axes.plot(
            chosen.x,
            chosen.y,
            "o",
            markersize=9,
            markerfacecolor="none",
            markeredgecolor=VALIDATION,
            markeredgewidth=1.6,
            label=chosen.label,
            clip_on=False,
        )
    axes.set(xlim=(-MARGIN, 1 + MARGIN), ylim=(-MARGIN, 1 + MARGIN), aspect="equal")
    axes.set_title(shortened(title, TITLE_CHARACTERS))
    axes.set_title(area, loc="right", fontsize=9, fontweight="normal")
    axes.legend(loc=corner, frameon=True, framealpha=0.9, edgecolor="white")
    open_frame(axes)
