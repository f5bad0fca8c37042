"""The ROC and the precision-recall picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageColor

from imgclf.reporting.binary import Point, draw_precision_recall, draw_roc
from imgclf.reporting.style import TRAINING, VALIDATION


def _places(png: bytes, colour: str) -> NDArray[np.int64]:
    """Row and column of each pixel of a colour."""
    pixels = np.array(Image.open(io.BytesIO(png)).convert("RGB"))
    return np.argwhere((pixels == ImageColor.getrgb(colour)).all(axis=2))


def _below_the_legend(places: NDArray[np.int64], rows: int) -> NDArray[np.int64]:
    return places[places[:, 0] < rows]


def test_the_roc_picture_marks_the_chosen_threshold_on_the_curve() -> None:
    curve = ([0, 0, 0.25, 1], [0, 0.5, 0.75, 1])
    marked = draw_roc(*curve, 0.8, Point(0.25, 0.75, "threshold 0.4"), "ROC: dog")
    line = _places(draw_roc(*curve, 0.8, None, "ROC: dog"), TRAINING)
    ring = _below_the_legend(_places(marked, VALIDATION), 400).mean(axis=0)
    assert np.abs(line - ring).sum(axis=1).min() < 15
    assert len(_places(draw_roc(*curve, 0.8, None, "ROC: dog"), VALIDATION)) == 0


@pytest.mark.parametrize("chosen", [None, Point(0.5, 1.0, "threshold 0.4")])
def test_the_precision_recall_picture_is_drawn_with_and_without_a_threshold(chosen: Point | None) -> None:
    png = draw_precision_recall(
        [1, 0.5, 0], [0.6, 1, 1], 0.8, 0.6, chosen, "Precision and recall of $5: a_very_long" * 3
    )
    assert len(_places(png, TRAINING)) > 100
    assert (len(_places(png, VALIDATION)) > 0) == (chosen is not None)
