"""Fitting the preprocessing: once, before training, on the training images alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from imgclf.preprocessing import Preprocessing, PreprocessingSettings
from imgclf.preprocessing.pieces import Pieces, Takes
from imgclf.settings import ImageShape


@dataclass(frozen=True)
class Fit:
    """The preprocessing, what was fitted (by key of the section, with name and number of images), and lines to say."""

    preprocessing: Preprocessing
    record: dict[str, dict[str, Any]]
    notes: tuple[str, ...]


def fit(
    settings: PreprocessingSettings,
    pixels: Takes,
    image_shape: ImageShape,
    report_progress: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
) -> Fit:
    """The preprocessing fitted on ``pixels``: the training images in the shape ``image_shape`` that the model takes.

    Each part sees the images as the parts before it leave them. Sums are float64. Raises ImgclfError where the images
    don't allow it. Without anything to fit, no image is read.
    """
    done = Preprocessing(settings.model_copy(update={"normalization": None, "whitening": None}))
    record: dict[str, dict[str, Any]] = {}
    notes = []
    for key, part in settings.parts.items():
        arrays = {}
        if count := part.images_to_fit(len(pixels)):
            what = f"{part.name} {key}"
            report = partial(report_progress, f"fitting {what}")
            arrays = part.fit(Pieces(pixels, image_shape, done.apply, count, report))
            record[key] = {"name": part.name, "images": count}
            notes.append(f"{what} on {_of(count, len(pixels))}")
            if key == "whitening" and count <= (numbers := math.prod(image_shape)):
                notes.append(f"warning: {count:,} images tell no variances of {numbers:,} numbers each; raise epsilon")
        done = Preprocessing(done.settings.model_copy(update={key: part}), {**done.fitted, **arrays})
    return Fit(done, record, tuple(notes))


def _of(count: int, total: int) -> str:
    if count == total:
        return f"all {total:,} training images"
    return f"{count:,} of {total:,} training images, evenly spread"
