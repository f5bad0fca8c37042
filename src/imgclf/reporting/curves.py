"""Curves of accuracy and loss over a run, and of several runs side by side.

A row of a history has ``step`` (int), ``epoch`` (float), and ``accuracy``, ``loss``, ``validation_accuracy``,
``validation_loss``, each of which may be None or absent where it was not measured; ``stage`` (int, from 1) where the
run may have several.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

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
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
Unit = Literal["epoch", "step"]

LEGEND_CHARACTERS = 60
MOST_MARKED_ROWS = 30
LOG_SCALE_FROM = 50.0  # a loss that spans more than this factor is drawn on a logarithmic scale


def draw_curves(history: Sequence[Row]) -> bytes:
    """A PNG of accuracy and loss, in training and validation, with the best validation row of each marked.

    A thin line stands where a stage begins, with its number.
    """
    with styled():
        figure = new_figure(10, 4.2)
        unit = _unit([history])
        for axes, measure in _panels(figure, unit):
            _draw_line(axes, history, measure, unit, TRAINING, "-", "training")
            _draw_line(axes, history, f"validation_{measure}", unit, VALIDATION, "-", "validation")
            _mark_best(axes, history, measure, unit)
            _scale(axes, measure, [history])
            _mark_stages(axes, history, unit)
            if axes.get_legend_handles_labels()[0]:
                axes.legend(loc="best")
        return picture(figure)


def draw_runs(histories: Mapping[str, Sequence[Row]]) -> bytes:
    """A PNG of accuracy and loss of several runs by name: a colour each, validation solid, training dashed."""
    from matplotlib.lines import Line2D

    with styled():
        legend_rows = (len(histories) + 3) // 2
        figure = new_figure(10, 4.2 + 0.2 * legend_rows)
        unit = _unit(list(histories.values()))
        colours = {name: CYCLE[index % len(CYCLE)] for index, name in enumerate(histories)}
        for axes, measure in _panels(figure, unit):
            for name, history in histories.items():
                _draw_line(axes, history, measure, unit, colours[name], "--", None)
                _draw_line(axes, history, f"validation_{measure}", unit, colours[name], "-", None)
            _scale(axes, measure, list(histories.values()))
        handles = [Line2D([], [], color=colour, linewidth=2.5) for colour in colours.values()]
        handles += [Line2D([], [], color=FAINT_INK, linestyle=style) for style in ("-", "--")]
        labels = [shortened(name, LEGEND_CHARACTERS) for name in histories] + ["validation", "training"]
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
        return picture(figure)


def _unit(histories: list[Sequence[Row]]) -> Unit:
    """Epochs where any run has at least two, else steps: a run of a fraction of an epoch still shows a curve."""
    longest = max((row["epoch"] for history in histories for row in history), default=0)
    return "epoch" if longest >= 2 else "step"


def _panels(figure: Figure, unit: Unit) -> list[tuple[Axes, str]]:
    from matplotlib.ticker import MaxNLocator

    panels = list(zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True))
    for axes, measure in panels:
        axes.set_title(measure.capitalize())
        axes.set_xlabel(unit)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, steps=[1, 2, 5, 10]))
        open_frame(axes)
    return panels


def _points(history: Sequence[Row], key: str, unit: Unit) -> tuple[list[float], list[float]]:
    rows = [row for row in history if (value := row.get(key)) is not None and not math.isnan(value)]
    return [float(row[unit]) for row in rows], [float(row[key]) for row in rows]


def _draw_line(
    axes: Axes, history: Sequence[Row], key: str, unit: Unit, colour: str, style: str, label: str | None
) -> None:
    places, values = _points(history, key, unit)
    if not places:
        return
    marker = "o" if len(places) <= MOST_MARKED_ROWS else ""
    axes.plot(places, values, style, color=colour, linewidth=1.6, marker=marker, markersize=3, label=label)


def _mark_best(axes: Axes, history: Sequence[Row], measure: str, unit: Unit) -> None:
    places, values = _points(history, f"validation_{measure}", unit)
    if not places:
        return
    choose: Callable[[list[float]], float] = max if measure == "accuracy" else min
    best = choose(values)
    place = places[values.index(best)]
    label = f"best {best:.4f}, {unit} {place:g}"
    axes.plot(
        place,
        best,
        "o",
        markersize=9,
        markerfacecolor="none",
        markeredgecolor=VALIDATION,
        markeredgewidth=1.6,
        label=label,
    )


def _mark_stages(axes: Axes, history: Sequence[Row], unit: Unit) -> None:
    for before, row in pairwise(history):
        number = row.get("stage", 1)
        if number != before.get("stage", 1):
            axes.axvline(float(before[unit]), color=FAINT_INK, linewidth=0.8, linestyle=":")
            place = (float(before[unit]), 0.0)  # at the bottom: curves of accuracy are at the top
            text = f"stage {int(number)}"
            axes.annotate(
                text,
                place,
                xytext=(3, 3),
                xycoords=axes.get_xaxis_transform(),
                textcoords="offset points",
                va="bottom",
                fontsize=8,
                color=FAINT_INK,
            )


def _scale(axes: Axes, measure: str, histories: list[Sequence[Row]]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    values = [
        value
        for history in histories
        for key in (measure, f"validation_{measure}")
        for value in _points(history, key, "step")[1]
    ]
    if measure == "accuracy" and values:
        axes.set_ylim(top=min(axes.get_ylim()[1], 1.005))
    elif values and min(values) > 0 and max(values) / min(values) > LOG_SCALE_FROM:
        axes.set_yscale("log")
        # The usual labels of a logarithmic axis are formulas, which are switched off.
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
