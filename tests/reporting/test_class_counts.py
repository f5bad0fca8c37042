"""Bars of images per class: lengths in proportion, any number of classes, names of any length."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageColor

from imgclf.reporting.class_counts import draw_class_counts
from imgclf.reporting.style import TRAINING, VALIDATION


def _pixels(png: bytes) -> NDArray[np.uint8]:
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))


def _area(pixels: NDArray[np.uint8], colour: str) -> int:
    return int((pixels == ImageColor.getrgb(colour)).all(axis=2).sum())


def test_the_area_of_a_split_is_its_share_of_the_images() -> None:
    counts = {"train": np.array([900, 300]), "validation": np.array([300, 100])}
    pixels = _pixels(draw_class_counts(["cat", "dog"], counts, "Images"))
    assert _area(pixels, TRAINING) / _area(pixels, VALIDATION) == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize("classes", [1, 2, 30, 100])
def test_the_picture_grows_with_the_classes(classes: int) -> None:
    names = [f"class {number} with a name that is longer than anyone would want it $" for number in range(classes)]
    png = draw_class_counts(names, {"train": np.arange(classes), "test": np.zeros(classes, np.int64)}, "Images")
    assert len(_pixels(png)) > classes * 18


def test_of_very_many_classes_some_are_drawn() -> None:
    counts = {"train": np.arange(2000)}
    assert len(_pixels(draw_class_counts([str(number) for number in range(2000)], counts, "Images"))) < 4000


def test_classes_without_any_images_are_drawn() -> None:
    draw_class_counts(["a", "b"], {"train": np.zeros(2, np.int64)}, "Images")
