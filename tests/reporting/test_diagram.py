"""The network's diagram as PNG and SVG."""

from __future__ import annotations

import io
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from imgclf.reporting.diagram import draw_model_diagram


def _pixels(png: bytes) -> NDArray[np.uint8]:
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))


def _shows(pixels: NDArray[np.uint8], colour: str) -> bool:
    return bool((pixels == ImageColor.getrgb(colour)).all(axis=2).any())


@dataclass(frozen=True)
class Row:
    name: str
    kind: str
    output_shape: tuple[int | None, ...]
    parameters: int
    trainable: bool
    inputs: tuple[str, ...]


ROWS = [
    Row("image", "InputLayer", (None, 28, 28, 1), 0, False, ()),
    Row("conv<1>", "Conv2D", (None, 28, 28, 20), 520, True, ("image",)),
    Row("skip & more", "Conv2D", (None, None, None, 20), 40, False, ("image",)),
    Row("sum", "Add", (None, 28, 28, 20), 0, False, ("conv<1>", "skip & more")),
]


def test_model_diagram_as_svg_holds_every_layer_as_text() -> None:
    root = ElementTree.fromstring(draw_model_diagram(ROWS, "lenet", "svg"))
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {row.name for row in ROWS} <= texts
    assert {"lenet", "560 parameters", "520 parameters", "40 frozen", "28 × 28 × 20", "? × ? × 20"} <= texts


def test_model_diagram_as_png_is_not_blank() -> None:
    pixels = _pixels(draw_model_diagram(ROWS, "lenet"))
    assert _shows(pixels, "#e3f0fb")
    assert _shows(pixels, "#ddf4f4")


def test_equal_networks_make_equal_files() -> None:
    assert draw_model_diagram(ROWS, "lenet", "svg") == draw_model_diagram(ROWS, "lenet", "svg")
