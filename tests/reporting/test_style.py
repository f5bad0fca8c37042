"""What holds for every picture."""

from __future__ import annotations

import re
import warnings

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from imgclf.reporting.curves import draw_curves
from imgclf.reporting.grids import label_image
from imgclf.reporting.style import missing_characters, styled

HISTORY = [{"step": 10 * row, "epoch": row, "accuracy": 1 - 0.5 / row, "loss": 1 / row} for row in range(1, 5)]


def test_equal_data_makes_equal_files() -> None:
    assert draw_curves(HISTORY) == draw_curves(HISTORY)


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    before = dict(matplotlib.rcParams)
    draw_curves(HISTORY)
    label_image(np.zeros((8, 8, 1), np.uint8), "cat", None)
    assert dict(matplotlib.rcParams) == before


def test_the_characters_that_no_font_has_are_those_that_matplotlib_warns_of() -> None:
    texts = ["plain", "grün", "Ж", "\U000104a0\U000104a1 \U000104a0", "b\U00012000"]  # Osmanya, cuneiform
    figure = Figure()
    with styled(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for text in texts:
            figure.text(0.1, 0.1, text)
        FigureCanvasAgg(figure).draw()
    warned = {chr(int(match[1])) for one in caught if (match := re.match(r"Glyph (\d+)", str(one.message)))}
    assert set(missing_characters(texts)) == warned
    assert missing_characters(texts)[-1] == "\U00012000"
    assert missing_characters(["plain", "grün", "Ж"]) == []
