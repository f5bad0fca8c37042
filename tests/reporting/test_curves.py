"""Curves of runs: what they show, and of which run."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageColor

from imgclf.reporting.curves import draw_curves, draw_runs
from imgclf.reporting.style import CYCLE, TRAINING, VALIDATION


def _pixels(png: bytes) -> NDArray[np.uint8]:
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))


def _shows(pixels: NDArray[np.uint8], colour: str) -> bool:
    return bool((pixels == ImageColor.getrgb(colour)).all(axis=2).any())


def _history(rows: int, epochs_a_row: float = 1.0) -> list[dict[str, Any]]:
    return [
        {
            "step": row * 100,
            "epoch": row * epochs_a_row,
            "accuracy": 1 - 0.5 / row,
            "loss": 1 / row,
            "validation_accuracy": 0.95 - 0.5 / row,
            "validation_loss": 0.1 + 1 / row,
        }
        for row in range(1, rows + 1)
    ]


@pytest.mark.parametrize(("rows", "epochs_a_row"), [(1, 1.0), (20, 1.0), (10, 0.05), (200, 1.0)])
def test_curves_show_training_and_validation(rows: int, epochs_a_row: float) -> None:
    pixels = _pixels(draw_curves(_history(rows, epochs_a_row)))
    height, width, _ = pixels.shape
    assert 800 < width < 2000
    assert 300 < height < 1200
    assert _shows(pixels, TRAINING)
    assert _shows(pixels, VALIDATION)


def test_a_line_stands_where_a_stage_begins() -> None:
    rows = _history(12)
    staged = [{**row, "stage": 1 if row["step"] <= 600 else 2} for row in rows]
    changed = (_pixels(draw_curves(rows)) != _pixels(draw_curves(staged))).any(axis=2)
    assert np.array_equal(_pixels(draw_curves(rows)), _pixels(draw_curves([{**row, "stage": 1} for row in rows])))
    read = [{**row, "stage": float(row["stage"])} for row in staged]  # as metrics.csv is read
    assert np.array_equal(_pixels(draw_curves(staged)), _pixels(draw_curves(read)))
    columns = np.flatnonzero(changed.sum(axis=0) > changed.shape[0] / 4)  # dotted, from the bottom to the top
    assert len(np.flatnonzero(np.diff(columns) > 2)) == 1  # one line in each of the two panels


def test_curves_without_validation_show_training_alone() -> None:
    rows = [{**row, "validation_accuracy": None, "validation_loss": None} for row in _history(5)]
    pixels = _pixels(draw_curves(rows))
    assert _shows(pixels, TRAINING)
    assert not _shows(pixels, VALIDATION)


def test_curves_of_several_runs_have_a_colour_each() -> None:
    pixels = _pixels(draw_runs({"first": _history(10), "second": _history(5), "third": []}))
    assert all(_shows(pixels, colour) for colour in CYCLE[:3])
