"""What models reach and what they cost: accuracy against latency, with the size of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgclf.reporting.style import CYCLE, INK, new_figure, open_frame, picture, shortened, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

LARGEST_MARKER = 1400.0  # points^2
NAME_CHARACTERS = 70
LOG_SCALE_FROM = 8.0  # latencies that span more than this factor are drawn on a logarithmic scale


@dataclass(frozen=True)
class ModelPoint:
    """A model in the picture: seconds for one image, accuracy with its interval (None: it has none), bytes."""

    name: str
    latency_seconds: float
    accuracy: float
    interval: Sequence[float] | None
    weights_bytes: int


def draw_models(points: Sequence[ModelPoint]) -> bytes:
    """A PNG of accuracy with its interval against the latency of one image; the area of a marker is the model's size.

    A dot stands in the middle of each marker, so that the smallest is seen.
    """
    with styled():
        figure = new_figure(8, 4.6 + 0.2 * len(points))
        axes = figure.subplots()
        for number, point in enumerate(points):
            _draw_point(axes, point, CYCLE[number % len(CYCLE)], max(one.weights_bytes for one in points))
        _scale(axes, [1e3 * point.latency_seconds for point in points])
        axes.set(xlabel="latency of one image (ms)", ylabel="test accuracy")
        axes.set_title("Accuracy and latency")
        axes.set_title("bars: 95 % intervals; area: size of the weights", loc="right", fontsize=9, fontweight="normal")
        open_frame(axes)
        figure.legend(*_legend(points), loc="outside lower center", ncols=1)
        return picture(figure)


def _draw_point(axes: Axes, point: ModelPoint, colour: str, largest: int) -> None:
    place = 1e3 * point.latency_seconds
    area = LARGEST_MARKER * point.weights_bytes / largest
    axes.scatter([place], [point.accuracy], s=area, color=colour, alpha=0.35, linewidths=0)
    if point.interval is not None:
        below, above = point.accuracy - point.interval[0], point.interval[1] - point.accuracy
        axes.errorbar([place], [point.accuracy], [[below], [above]], color=colour, capsize=4, linewidth=1.4)
    axes.plot([place], [point.accuracy], "o", color=colour, markersize=4, markeredgecolor=INK, markeredgewidth=0.5)


def _legend(points: Sequence[ModelPoint]) -> tuple[list[Line2D], list[str]]:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=CYCLE[number % len(CYCLE)], marker="o", linestyle="") for number in range(len(points))
    ]
    labels = [
        f"{shortened(point.name, NAME_CHARACTERS)}: {point.accuracy:.4f}, {1e3 * point.latency_seconds:.2f} ms, "
        f"{point.weights_bytes / 1e6:.2f} MB"
        for point in points
    ]
    return handles, labels


def _scale(axes: Axes, milliseconds: Sequence[float]) -> None:
    """Room for the markers at the sides, on a logarithmic axis where the latencies are far apart."""
    from matplotlib.ticker import LogLocator, NullFormatter

    if max(milliseconds) <= LOG_SCALE_FROM * min(milliseconds):
        axes.set_xlim(0, 1.15 * max(milliseconds))
        return
    axes.set_xscale("log")
    axes.set_xlim(min(milliseconds) / 1.6, max(milliseconds) * 1.6)
    # The usual labels of a logarithmic axis are formulas, which are switched off.
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
