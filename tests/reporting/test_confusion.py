"""The picture of the confusion matrix, from two classes to a hundred."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imgclf.reporting.confusion import draw_confusion


def _pixels(png: bytes) -> NDArray[np.uint8]:
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))


# 100 classes are slow: 200 names are laid out.
@pytest.mark.parametrize("classes", [2, 10, 30, pytest.param(100, marks=pytest.mark.slow)])
def test_confusion_matrix_has_a_dark_diagonal_and_grows_with_the_classes(classes: int) -> None:
    pixels = _pixels(draw_confusion(np.eye(classes, dtype=int) * 90, [f"class number {n}" for n in range(classes)]))
    dark = (pixels == (8, 48, 107)).all(axis=2)  # the last colour of matplotlib's Blues
    assert dark.any()
    assert 300 < pixels.shape[1] < 2500
    assert np.argwhere(dark)[:, 0].min() < pixels.shape[0] / 2


def test_confusion_matrix_of_a_class_without_images_is_drawn() -> None:
    assert _pixels(draw_confusion([[5, 1], [0, 0]], ["a", "b"])).std() > 0


def test_class_names_are_no_formulas() -> None:
    assert _pixels(draw_confusion([[1, 0], [0, 1]], ["$5 bill_^{", "été"])).std() > 0
