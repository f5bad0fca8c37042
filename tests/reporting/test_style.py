"""What holds for every picture."""

from __future__ import annotations

import matplotlib
import numpy as np

from imgclf.reporting.curves import draw_curves
from imgclf.reporting.grids import label_image

HISTORY = [{"step": 10 * row, "epoch": row, "accuracy": 1 - 0.5 / row, "loss": 1 / row} for row in range(1, 5)]


def test_equal_data_makes_equal_files() -> None:
    assert draw_curves(HISTORY) == draw_curves(HISTORY)


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    before = dict(matplotlib.rcParams)
    draw_curves(HISTORY)
    label_image(np.zeros((8, 8, 1), np.uint8), "cat", None)
    assert dict(matplotlib.rcParams) == before
