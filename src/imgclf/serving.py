"""The last act of a run: `predict`, on the run's folder, must answer as the evaluation did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import Pixels, SelectedPixels, Split, Splits, Target, file_behind
from imgclf.datasets.pixels.pieces import spread
from imgclf.datasets.pixels.rounded import rounded
from imgclf.datasets.pixels.shaped import shaped
from imgclf.errors import ImgclfError, WorkFailed
from imgclf.evaluation.metrics import probabilities
from imgclf.images.fit import ImageFit
from imgclf.inference import Forward
from imgclf.predict import predict_arrays, predict_files
from imgclf.runs.folder import RunFolder
from imgclf.screen import Silent
from imgclf.trained import Trained, find_source, open_trained
from imgclf.training.settings import Precision

IMAGES = 32

# Both sides compute the same operations on batches of one size, so that on one machine they are mostly bit-equal. What
# may differ is the order of sums where a library picks another algorithm: some units in the last of a factor's binary
# digits, of which float32 has 24, float16 has 11, bfloat16 has 8. A probability moves by half as much as the logits, at
# most.
TOLERANCES: dict[Precision, float] = {"float32": 1e-5, "float16": 2e-3, "bfloat16": 2e-2}

Answers: TypeAlias = "list[NDArray[np.float64]]"  # for each target, probabilities (images, classes)


@dataclass(frozen=True)
class Serving:
    """What was compared: how many images, of which split, read from files or given as arrays; ``note`` says why so.

    ``largest_difference`` is that of a probability, over all images and classes; None where a file could not be read.
    """

    images: int
    split: str
    source: str
    largest_difference: float | None
    tolerance: float
    agrees: bool
    note: str | None


def check_serving(run: RunFolder, forward: Forward, splits: Splits, fit: ImageFit) -> Serving:
    """Have `predict` label up to 32 images of the validation split, and compare with ``forward`` on the split's pixels.

    The model is put together again from the run's folder. Images that come from files are read from these; the pixels
    of others are given as they are, as bytes, which is what `predict` takes. Without a validation split they are
    training images. The result goes into run.json. Raises WorkFailed where the answers differ by more than rounding.
    """
    trained = _reopened(run)
    name, split = ("validation", splits.validation) if splits.validation else ("train", splits.train)
    pixels = _some_of(split)
    files = _files_behind(pixels)
    served = _served_files(files, trained) if files else _served_arrays(pixels, trained)
    evaluated = [probabilities(logits) for logits in forward.logits(shaped(pixels, fit))]
    # numpy.max of a row that holds NaN is NaN, which is not within any tolerance.
    differences = np.max(
        [np.abs(one - other).max(axis=1) for one, other in zip(served, evaluated, strict=True)], axis=0
    )
    tolerance = rounding_tolerance(trained)
    agrees = differences <= tolerance
    serving = Serving(
        images=len(pixels),
        split=name,
        source="files" if files else "arrays",
        largest_difference=float(differences.max()) if np.isfinite(differences).all() else None,
        tolerance=tolerance,
        agrees=bool(agrees.all()),
        note=None if splits.validation else "there is no validation split: these are training images",
    )
    run.update(serving=asdict(serving))
    if not serving.agrees:
        first = int(np.flatnonzero(~agrees)[0])
        image = f"{name} image {pixels.positions[first]}" + (f" ({files[first]})" if files else "")
        answers = [_answer_text(one, first, trained.targets) for one in (served, evaluated)]
        raise WorkFailed(
            f"{run.path}: predict must give the probabilities of the evaluation, within {tolerance:g}; of {image} "
            f"predict says {answers[0]}, the evaluation {answers[1]}",
            hint="weights and report are kept; were images or the run's folder changed while it was trained?",
        )
    return serving


def rounding_tolerance(trained: Trained) -> float:
    """By how much a probability may differ where nothing but the order of sums does."""
    own = TOLERANCES[trained.source.experiment.training.precision]
    return max(own, TOLERANCES["float16"]) if trained.devices.kind == "gpu" else own


def _reopened(run: RunFolder) -> Trained:
    """The run as `predict` opens it. Raises WorkFailed where it can't: what is wrong is no input of the user's."""
    try:
        source = find_source(str(run.path), None, None, run.path.parent)
        return open_trained(source, source.experiment.runtime.device, _no_data, Silent())
    except ImgclfError as error:
        raise WorkFailed(
            f"{run.path}: predict can't open the run that was trained: {error}", hint=error.hint
        ) from error


def _no_data() -> Splits:
    raise AssertionError("a run is opened without its data")


def _some_of(split: Split) -> SelectedPixels:
    """Some images of a split, evenly spread, as bytes."""
    return SelectedPixels(rounded(split.pixels), spread(len(split), IMAGES))


def _files_behind(pixels: Pixels) -> list[Path]:
    """The files that the images come from; none where some image has no file of its own on the disk."""
    names = [file_behind(pixels, position) for position in range(len(pixels))]
    files = [Path(name) for name in names if name is not None]
    return files if len(files) == len(pixels) and all(file.parent.is_dir() for file in files) else []


def _served_arrays(pixels: Pixels, trained: Trained) -> Answers:
    predictions = predict_arrays(pixels.take(np.arange(len(pixels))), trained)
    return [np.stack([one.targets[target.name].probabilities for one in predictions]) for target in trained.targets]


def _served_files(files: Sequence[Path], trained: Trained) -> Answers:
    """The probabilities; NaN for a file that can't be read."""
    answers = [np.full((len(files), len(target.class_names)), np.nan) for target in trained.targets]
    for row, result in enumerate(predict_files(files, trained, as_is=True)):
        if result.prediction is not None:
            for of_target, answer in zip(answers, result.prediction.targets.values(), strict=True):
                of_target[row] = answer.probabilities
    return answers


def _answer_text(answers: Answers, row: int, targets: Sequence[Target]) -> str:
    """The likeliest class of each target on one image, with its probability."""
    shares = [one[row] for one in answers]
    if np.isnan(shares[0]).any():
        return "that it can't be read"
    return ", ".join(
        f"{f'{target.name} ' if len(targets) > 1 else ''}{target.class_names[share.argmax()]} {share.max():.6f}"
        for target, share in zip(targets, shares, strict=True)
    )
