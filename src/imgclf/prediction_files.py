"""What `predict` writes on request: the predictions as a table, and the images with their labels."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgclf.images.decode import decode
from imgclf.images.resize import resize
from imgclf.runs.files import write_whole
from imgclf.texts import csv_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from imgclf.datasets.base import Target
    from imgclf.predict import Answer, FileResult, Predictions

SAVED_SIDE = 1024  # pixels: a larger image is saved reduced
SAVED_NAME_BYTES = 200  # file systems take 255, of which the temporary name needs some


def table_text(predictions: Predictions) -> str:
    """The predictions as CSV: file, label, probability, the probability of each class, steps, error.

    Of several targets each has its own label, probability and classes, after its name and a dot.
    """
    answered = [column for target in predictions.targets for column in _columns(target, len(predictions.targets) > 1)]
    rows = []
    for result in predictions.results:
        answer, prediction = result.to_json(), result.prediction
        if prediction is None:
            rows.append([answer["file"], *[""] * len(answered), "", answer["error"]])
        else:
            cells = [cell for one in prediction.targets.values() for cell in _cells(one)]
            rows.append([answer["file"], *cells, "; ".join(prediction.steps), ""])
    return csv_text(["file", *answered, "steps", "error"], rows)


def save_pictures(results: Sequence[FileResult], folder: Path) -> None:
    """Write each image that was classified, enlarged, with its label below, to FOLDER/NAME-LABEL.png.

    Of several targets all labels stand there. Where two would have one name, or a file of that name is there, a number
    is added: nothing is overwritten. Raises WorkFailed where the folder can't be written.
    """
    from imgclf.reporting.grids import label_image

    taken = {_identity(result.file) for result in results}
    for result in results:
        prediction = result.prediction
        if prediction is None:
            continue
        answers = prediction.targets.values()
        path = _free_path(folder, "-".join([result.file.stem, *(_slug(one.label) for one in answers)]), taken)
        labels = "\n".join(f"{one.label} ({percent(one.probability)})" for one in answers)
        write_whole(path, label_image(_reduced(decode(result.file, 3)), labels, None))


def _columns(target: Target, named: bool) -> list[str]:
    return [f"{target.name}.{column}" if named else column for column in ("label", "probability", *target.class_names)]


def _cells(answer: Answer) -> list[str | float]:
    return [answer.label, answer.probability, *answer.probabilities.tolist()]


def percent(probability: float) -> str:
    """A probability for people: "97.1 %"."""
    return f"{100 * probability:.1f} %"


def _identity(path: Path) -> str:
    """Equal for paths that may be one file; some file systems don't tell large letters from small ones."""
    return os.path.realpath(path).casefold()


def _free_path(folder: Path, name: str, taken: set[str]) -> Path:
    name = os.fsdecode(os.fsencode(name)[:SAVED_NAME_BYTES])
    for number in itertools.count(1):
        path = folder / (f"{name}.png" if number == 1 else f"{name}-{number}.png")
        if _identity(path) not in taken and not os.path.lexists(path):
            taken.add(_identity(path))
            return path
    raise AssertionError("counting does not end")


def _slug(label: str) -> str:
    """A label as a part of a file's name: letters and digits of any script, the rest as hyphens."""
    return re.sub(r"[^\w.]+", "-", label).strip("-.")[:60] or "label"


def _reduced(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = min(1.0, SAVED_SIDE / max(height, width))
    return resize(image, max(1, round(height * scale)), max(1, round(width * scale)))
