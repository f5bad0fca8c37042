#!/usr/bin/env python3
"""A folder of small images with three labels each: the pattern, the colour and the shape of what is drawn.

    scripts/make_shapes.py FOLDER [--images 3000] [--seed 0]

Writes FOLDER/0000.png, ... (48x48, red, green and blue) and FOLDER/labels.csv, which the data set `image_folder` reads:
`csv: labels.csv`, `label_columns: [pattern, colour, shape]`. Every combination is drawn equally often. Hues overlap
where they meet, patterns may be faint, and every image is noisy, so that no network gets all of them right. The same
arguments give the same pixels.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from imgclf.runs.files import write_whole
from imgclf.texts import csv_text

SIDE, FINE = 48, 4  # pixels, and how many times finer an image is drawn before it is averaged
PATTERNS = ("plain", "striped", "dotted", "checked")
HUES = {"red": 0, "yellow": 30, "green": 60, "blue": 115, "purple": 140}  # as OpenCV counts them: 180 are the circle
SHAPES = ("disc", "square", "triangle", "star")
HUE_DEVIATION, NOISE = 6.0, 16.0
COLUMNS = ("file", "pattern", "colour", "shape")


def main() -> None:
    """Write the images and their labels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = []
    kinds = itertools.cycle(itertools.product(PATTERNS, HUES, SHAPES))
    for number, kind in zip(range(arguments.images), kinds, strict=False):
        image = draw(*kind, np.random.default_rng([arguments.seed, number]))
        name = f"{number:04}.png"
        write_whole(arguments.folder / name, cv2.imencode(".png", image)[1].tobytes())
        rows.append((name, *kind))
    write_whole(arguments.folder / "labels.csv", csv_text(COLUMNS, rows))
    print(f"{arguments.folder}: {len(rows):,} images and labels.csv")


def draw(pattern: str, colour: str, shape: str, numbers: np.random.Generator) -> NDArray[np.uint8]:
    """One image, uint8 (SIDE, SIDE, 3) in OpenCV's order: blue, green, red."""
    ground = np.full(3, numbers.uniform(60, 220)) + numbers.normal(0, 12, 3)
    tones = _tones(HUES[colour], numbers)
    second = _pattern(pattern, numbers)[..., None]
    inside = _shape(shape, numbers)[..., None]
    image = np.where(inside, np.where(second, tones[1], tones[0]), ground).astype(np.float32)
    image = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    noisy = image + numbers.normal(0, NOISE, image.shape)
    return noisy.round().clip(0, 255).astype(np.uint8)


def _tones(hue: float, numbers: np.random.Generator) -> NDArray[np.float64]:
    """The colour of the shape and the darker one of its pattern, (2, 3)."""
    drawn = (hue + numbers.normal(0, HUE_DEVIATION)) % 180
    saturation, value = numbers.uniform(110, 255), numbers.uniform(120, 255)
    pixel = np.array([[[drawn, saturation, value]]]).astype(np.uint8)
    tone = cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0].astype(np.float64)
    return np.stack([tone, tone * numbers.uniform(0.3, 0.7)])


def _pattern(pattern: str, numbers: np.random.Generator) -> NDArray[np.bool_]:
    """Where the second tone is, (SIDE * FINE, SIDE * FINE): a turned lattice with a period of 5 to 10 pixels."""
    angle, period = numbers.uniform(0, np.pi), numbers.uniform(5, 10) * FINE
    phase = numbers.uniform(0, period, 2)
    y, x = np.mgrid[: SIDE * FINE, : SIDE * FINE]
    along = (x * np.cos(angle) + y * np.sin(angle) + phase[0]) % period / period
    across = (y * np.cos(angle) - x * np.sin(angle) + phase[1]) % period / period
    return {
        "plain": np.zeros(x.shape, bool),
        "striped": along < 0.5,
        "dotted": np.hypot(along - 0.5, across - 0.5) < 0.3,
        "checked": (along < 0.5) ^ (across < 0.5),
    }[pattern]


def _shape(shape: str, numbers: np.random.Generator) -> NDArray[np.bool_]:
    """Where the shape is, (SIDE * FINE, SIDE * FINE): turned, of a radius of 12 to 20 pixels, near the middle."""
    radius, turn = numbers.uniform(12, 20) * FINE, numbers.uniform(0, 2 * np.pi)
    centre = SIDE * FINE / 2 + numbers.uniform(-4, 4, 2) * FINE
    corners = {"disc": 60, "square": 4, "triangle": 3, "star": 10}[shape]
    angles = turn + 2 * np.pi * np.arange(corners) / corners
    radii = np.where(np.arange(corners) % 2, 0.5, 1.0) * radius if shape == "star" else np.full(corners, radius)
    points = centre + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    mask = np.zeros((SIDE * FINE, SIDE * FINE), np.uint8)
    cv2.fillPoly(mask, [points.round().astype(np.int32)], 1)
    return mask.astype(bool)


if __name__ == "__main__":
    main()
