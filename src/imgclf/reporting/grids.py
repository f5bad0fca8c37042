"""Images with their labels: many in one picture, or one enlarged with the label on a strip below."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imgclf.reporting.style import DPI, FAINT_INK, INK, RIGHT, WRONG, new_figure, picture, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL, GAP, LINE, HEADING = 168, 10, 18, 44  # pixels: an image's width, the space around it, a line of its title
TITLE_CHARACTERS = 20
LEAST_POINTS, MOST_POINTS = 7.0, 20.0


def draw_grid(
    images: NDArray[np.uint8], titles: Sequence[tuple[str, bool | None]], heading: str, columns: int = 6
) -> bytes:
    """A PNG of images, uint8 (images, height, width, channels), each with a title: green right, red wrong, else black.

    Pixels are enlarged without smoothing. Without images, the picture says that there are none.
    """
    columns = min(columns, max(1, len(images)))
    return _draw(images, titles, heading, [divmod(number, columns) for number in range(len(images))])


def draw_pairs(
    upper: NDArray[np.uint8],
    lower: NDArray[np.uint8],
    titles: Sequence[tuple[tuple[str, bool | None], tuple[str, bool | None]]],
    heading: str,
    columns: int = 6,
) -> bytes:
    """A PNG of pairs of images as in ``draw_grid``, each of ``upper`` with its partner in ``lower`` under it.

    ``titles`` holds two for each pair; lines part the rows of pairs.
    """
    if len(upper) == 0:
        return _draw(upper, [], heading, [])
    places = [divmod(number, columns) for number in range(len(upper))]
    rows = [(2 * row, column) for row, column in places] + [(2 * row + 1, column) for row, column in places]
    above, below = zip(*titles, strict=True)
    return _draw(np.concatenate([upper, lower]), [*above, *below], heading, rows, rows_together=2)


def _draw(
    images: NDArray[np.uint8],
    titles: Sequence[tuple[str, bool | None]],
    heading: str,
    places: Sequence[tuple[int, int]],
    rows_together: int = 1,
) -> bytes:
    """A PNG of images with titles, each at its (row, column); between groups of several rows is a line."""
    with styled():
        if len(images) == 0:
            return _empty_grid(heading)
        columns, rows = (1 + max(place[axis] for place in places) for axis in (1, 0))
        wrapped = [_wrapped(text) for text, _ in titles]
        title_height = LINE * max(map(len, wrapped)) + GAP
        cells = [_cell(image) for image in images]
        parting = 2 * GAP if rows_together > 1 else 0
        tops = [
            HEADING + row * (title_height + cells[0].shape[0] + GAP) + row // rows_together * parting
            for row in range(rows)
        ]
        height = tops[-1] + title_height + cells[0].shape[0] + GAP
        canvas = np.full((height, max(columns * (CELL + GAP) + GAP, 12 * len(heading)), 3), 255, np.uint8)
        for top in tops[rows_together::rows_together] if parting else ():
            canvas[top - GAP, GAP:-GAP] = 208
        # One image with texts on it: axes of their own for each cell took ten times as long.
        figure = new_figure(canvas.shape[1] / DPI, canvas.shape[0] / DPI)
        _write(figure, canvas, canvas.shape[1] / 2, HEADING / 2, heading, INK, size=12, weight="bold")
        for number, (row, column) in enumerate(places):
            cell, top = cells[number], tops[row] + title_height
            left = GAP + column * (CELL + GAP)
            canvas[top : top + cell.shape[0], left : left + CELL] = cell
            colour, text = _colour(titles[number][1]), "\n".join(wrapped[number])
            _write(figure, canvas, left + CELL / 2, top - title_height / 2, text, colour, size=8.5, weight="normal")
        figure.figimage(canvas)
        return picture(figure)


def label_image(image: NDArray[np.uint8], text: str, correct: bool | None, minimum_side: int = 280) -> bytes:
    """A PNG of one image, uint8 (height, width, channels), with its label on a strip below.

    Where its longer side is under ``minimum_side`` pixels, it is enlarged by the least whole number that reaches it,
    without smoothing; a canvas narrower than that is filled up with white. The label is green, red or black.
    """
    from PIL import Image

    enlarged = _enlarged(_three_channels(image), minimum_side)
    height, width = enlarged.shape[:2]
    strip = _strip(text, _colour(correct), max(width, minimum_side))
    canvas = np.full((height + len(strip), strip.shape[1], 3), 255, np.uint8)
    left = (strip.shape[1] - width) // 2
    canvas[:height, left : left + width] = enlarged
    canvas[height:] = strip
    canvas[height] = 208  # a grey line, where a white image meets the white strip
    buffer = io.BytesIO()
    Image.fromarray(canvas).save(buffer, format="PNG")
    return buffer.getvalue()


def _cell(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image in colour, CELL pixels wide: pixels are enlarged without smoothing, or averaged where there are more."""
    from PIL import Image

    shape = (CELL, max(1, round(CELL * image.shape[0] / image.shape[1])))
    rule = Image.Resampling.NEAREST if shape[0] >= image.shape[1] else Image.Resampling.BOX
    return np.asarray(Image.fromarray(_three_channels(image)).resize(shape, rule))


def _write(
    figure: Figure, canvas: NDArray[np.uint8], x: float, y: float, text: str, colour: str, *, size: float, weight: str
) -> None:
    """Centre a text at the place (x, y) of the canvas, counted in pixels from its upper left corner."""
    height, width = canvas.shape[:2]
    text_at = figure.text(x / width, 1 - y / height, text, color=colour, fontsize=size, fontweight=weight)
    text_at.set(ha="center", va="center", linespacing=1.2)


def _colour(correct: bool | None) -> str:
    return INK if correct is None else RIGHT if correct else WRONG


def _wrapped(text: str) -> list[str]:
    """A title on lines that fit above an image; where one is too long, what stands in brackets goes to the next."""
    parts = [line.replace(" (", "\n(") if len(line) > TITLE_CHARACTERS else line for line in text.split("\n")]
    return [line for part in "\n".join(parts).split("\n") for line in textwrap.wrap(part, TITLE_CHARACTERS)]


def _empty_grid(heading: str) -> bytes:
    figure = new_figure(6, 1.4)
    figure.suptitle(heading, fontsize=12, fontweight="bold")
    figure.text(0.5, 0.35, "none", ha="center", color=FAINT_INK, fontsize=12)
    return picture(figure)


def _three_channels(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[:, :, :3]


def _enlarged(image: NDArray[np.uint8], minimum_side: int) -> NDArray[np.uint8]:
    factor = max(1, -(-minimum_side // max(image.shape[:2])))
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _strip(text: str, colour: str, width: int) -> NDArray[np.uint8]:
    """The text in pixels, uint8 (height, width, 3): on one line if it fits, on several where letters would be small."""
    from PIL import Image

    room = 0.94 * width
    with styled():
        figure = new_figure(width / DPI, 1)
        points = float(np.clip(width / 24, LEAST_POINTS, MOST_POINTS))
        label = figure.text(0.5, 0.5, text, color=colour, ha="center", va="center", linespacing=1.3, fontsize=points)
        points = max(LEAST_POINTS, points * min(1.0, room / max(1.0, label.get_window_extent().width)))
        label.set_fontsize(points)
        label.set_text(_broken(text, room / max(1.0, label.get_window_extent().width)))
        figure.set_size_inches(width / DPI, ceil(label.get_window_extent().height + 1.2 * points) / DPI)
        return np.array(Image.open(io.BytesIO(picture(figure))).convert("RGB"))


def _broken(text: str, fitting: float) -> str:
    """``text`` on lines of the ``fitting`` share of its length."""
    lines = text.split("\n")
    longest = max(1, int(max(map(len, lines)) * fitting))
    return text if fitting >= 1 else "\n".join(part for line in lines for part in textwrap.wrap(line, longest))
