"""A network as a picture: a box for each layer, arrows for what feeds it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, Protocol

from imgclf.reporting.diagram_layout import BOX_HEIGHT, Layout, Point, arrange
from imgclf.reporting.style import FAINT_INK, new_figure, picture, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path

TITLE_HEIGHT = 0.75
MARGIN = 0.25
PADDING = 0.12
HEAD_LENGTH = 0.09
LEAST_BOX_WIDTH = 2.5
NAME_POINTS, SMALL_POINTS = 9, 7.5

# Fill and edge of a box by words in its kind; the first that fits counts.
_COLOURS: tuple[tuple[tuple[str, ...], tuple[str, str]], ...] = (
    (("Input",), ("#f6f8fa", "#8c959f")),
    (("Pool",), ("#fff1e0", "#d9822b")),
    (("Conv",), ("#e3f0fb", "#2f7ec0")),
    (("Normalization",), ("#f0e9fa", "#8250df")),
    (("Dropout", "DropPath", "Noise"), ("#f1f1f1", "#8c959f")),
    (("Dense",), ("#e2f5e9", "#2c974b")),
    (("Activation", "ReLU", "ELU", "Softmax", "GELU", "Silu"), ("#fff8c5", "#bf8700")),
    (("Add", "Concat", "Multiply", "Average", "Maximum"), ("#ddf4f4", "#1b7c83")),
    (("Flatten", "Reshape", "Permute", "Padding", "Cropping", "Rescaling", "Resizing"), ("#f4ece6", "#9a6b4a")),
)
_OTHER = ("#ffffff", "#57606a")


class DiagramRow(Protocol):
    """What is drawn of a layer; ``inputs`` are the names of earlier rows that feed it."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def output_shape(self) -> tuple[int | None, ...]: ...
    @property
    def parameters(self) -> int: ...
    @property
    def trainable(self) -> bool: ...
    @property
    def inputs(self) -> tuple[str, ...]: ...


def draw_model_diagram(rows: Sequence[DiagramRow], title: str, format: Literal["png", "svg"] = "png") -> bytes:
    """A PNG or SVG of the layers from top to bottom, branches side by side, long networks in several columns.

    Each row must come after those that feed it. A box holds the layer's name, kind, output shape without the batch,
    and parameters; layers that training leaves as they are say so.
    """
    with styled():
        box_width = _box_width(rows)
        layout = arrange({row.name: row.inputs for row in rows}, box_width)
        width = max(layout.width + 2 * MARGIN, 1 + 0.14 * len(title))
        figure = new_figure(width, layout.height + TITLE_HEIGHT + 2 * MARGIN)
        axes = _canvas(figure)
        _draw_title(axes, title, rows)
        left, top = (width - layout.width) / 2, TITLE_HEIGHT + MARGIN
        _draw_arrows(axes, layout, left, top)
        for row in rows:
            x, y = layout.boxes[row.name]
            _draw_box(axes, row, left + x, top + y, box_width)
        return picture(figure, format)


def shape_text(shape: tuple[int | None, ...]) -> str:
    """A shape without its batch, as people write it: "28 × 28 × 20"; an unknown size is "?"."""
    return " × ".join("?" if size is None else str(size) for size in shape[1:])


def _canvas(figure: Figure) -> Axes:
    """Axes over the whole figure, in inches from the upper left corner."""
    width, height = figure.get_size_inches()
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    return axes


def _draw_title(axes: Axes, title: str, rows: Sequence[DiagramRow]) -> None:
    total = sum(row.parameters for row in rows)
    axes.text(MARGIN, MARGIN, title, va="top", fontsize=13, fontweight="bold")
    axes.text(MARGIN, MARGIN + 0.27, f"{total:,} parameters", va="top", color=FAINT_INK)


def _draw_box(axes: Axes, row: DiagramRow, left: float, top: float, width: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    fill, edge = next((colours for words, colours in _COLOURS if any(word in row.kind for word in words)), _OTHER)
    style = "round,pad=0,rounding_size=0.07"
    axes.add_patch(
        FancyBboxPatch((left, top), width, BOX_HEIGHT, style, facecolor=fill, edgecolor=edge, linewidth=1.1, zorder=2)
    )
    first, second = top + 0.35 * BOX_HEIGHT, top + 0.74 * BOX_HEIGHT
    start, end = left + PADDING, left + width - PADDING
    axes.text(start, first, row.name, va="center", fontsize=NAME_POINTS, fontweight="bold")
    axes.text(end, first, row.kind, va="center", ha="right", fontsize=SMALL_POINTS, color=edge)
    axes.text(start, second, shape_text(row.output_shape), va="center", fontsize=SMALL_POINTS)
    axes.text(end, second, _parameters_text(row), va="center", ha="right", fontsize=SMALL_POINTS, color=FAINT_INK)


def _parameters_text(row: DiagramRow) -> str:
    if row.parameters == 0:
        return ""
    return f"{row.parameters:,} parameters" if row.trainable else f"{row.parameters:,} frozen"


def _box_width(rows: Sequence[DiagramRow]) -> float:
    """Inches that hold the two lines of text of every box."""
    names = [_inches(row.name, NAME_POINTS, "bold") + _inches(row.kind, SMALL_POINTS, "normal") for row in rows]
    numbers = [_inches(shape_text(row.output_shape) + _parameters_text(row), SMALL_POINTS, "normal") for row in rows]
    return max([LEAST_BOX_WIDTH, *(width + 2 * PADDING + 0.25 for width in names + numbers)])


def _inches(text: str, points: float, weight: Literal["bold", "normal"]) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    font = FontProperties(size=points, weight=weight)
    return float(TextToPath().get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def _draw_arrows(axes: Axes, layout: Layout, left: float, top: float) -> None:
    from matplotlib.patches import PathPatch, Polygon

    for chain in layout.arrows:
        points = [(left + x, top + y) for x, y in chain]
        x, y = points[-1]
        line = _path([*points[:-1], (x, y - HEAD_LENGTH)])
        axes.add_patch(PathPatch(line, edgecolor=FAINT_INK, linewidth=1.1, fill=False, zorder=1))
        head = [(x, y), (x - HEAD_LENGTH / 2, y - HEAD_LENGTH), (x + HEAD_LENGTH / 2, y - HEAD_LENGTH)]
        axes.add_patch(Polygon(head, facecolor=FAINT_INK, linewidth=0, zorder=3))


def _path(points: list[Point]) -> Path:
    """Straight where two points lie above or beside one another, else an S that leaves and arrives upright."""
    from matplotlib.path import Path

    places, codes = [points[0]], [Path.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(points):
        if abs(x0 - x1) < 0.01 or abs(y0 - y1) < 0.01:
            places, codes = [*places, (x1, y1)], [*codes, Path.LINETO]
        else:
            middle = (y0 + y1) / 2
            places, codes = [*places, (x0, middle), (x1, middle), (x1, y1)], codes + [Path.CURVE4] * 3
    return Path(places, codes)
