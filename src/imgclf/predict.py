"""The job `predict`: from images and a trained model to labels."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import ArrayPixels, Target
from imgclf.errors import ImgclfError, encodable
from imgclf.evaluation.calibration import scaled
from imgclf.evaluation.metrics import probabilities
from imgclf.evaluation.settings import averaging_text
from imgclf.images.decode import UnreadableImage, read_picture
from imgclf.images.fit import ImageFit, fit_image
from imgclf.images.ink import InkStyle, prepare_ink
from imgclf.images.resize import to_channels
from imgclf.loading import loading_once
from imgclf.places import runs_folder
from imgclf.screen import Screen, Silent
from imgclf.settings import ImageShape
from imgclf.trained import Trained, find_source, open_trained
from imgclf.training.devices import DeviceChoice

BATCH = 256

Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model says of one target of an image.

    ``top`` holds the most likely classes with their probabilities, most likely first; ``probabilities`` are float64
    (classes,), in the order of the class names.
    """

    label: str
    probability: float
    top: tuple[tuple[str, float], ...]
    probabilities: NDArray[np.float64]

    def to_json(self) -> dict[str, Any]:
        """As it stands in an entry of PREDICTIONS_SCHEMA."""
        top = [{"label": label, "probability": probability} for label, probability in self.top]
        return {"label": self.label, "probability": self.probability, "top": top}


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of one image: an answer for each target, by the target's name.

    ``steps`` is what was done to the image before the model saw it. Of a single target, ``label``, ``probability``,
    ``top`` and ``probabilities`` are those of its answer; with several, asking for them raises ImgclfError.
    """

    targets: Mapping[str, Answer]
    steps: tuple[str, ...]

    @property
    def label(self) -> str:
        """The most likely class."""
        return self._only.label

    @property
    def probability(self) -> float:
        """The probability of the most likely class."""
        return self._only.probability

    @property
    def top(self) -> tuple[tuple[str, float], ...]:
        """The most likely classes with their probabilities, most likely first."""
        return self._only.top

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """The probability of each class, float64 (classes,)."""
        return self._only.probabilities

    @property
    def _only(self) -> Answer:
        return only(self.targets, "prediction.targets")


@dataclass(frozen=True, eq=False)
class FileResult:
    """A file and what came of it: a prediction, or why it could not be read."""

    file: Path
    outcome: Prediction | UnreadableImage

    @property
    def prediction(self) -> Prediction | None:
        return None if isinstance(self.outcome, UnreadableImage) else self.outcome

    @property
    def error(self) -> UnreadableImage | None:
        return self.outcome if isinstance(self.outcome, UnreadableImage) else None

    def to_json(self) -> dict[str, Any]:
        """One entry of PREDICTIONS_SCHEMA; of the file's name, bytes that are no UTF-8 are escaped."""
        file, outcome = encodable(str(self.file)), self.outcome
        if isinstance(outcome, UnreadableImage):
            return {"file": file, "error": outcome.reason}
        answers = {name: answer.to_json() for name, answer in outcome.targets.items()}
        told = {"targets": answers} if len(answers) > 1 else only(answers, "targets")
        return {"file": file, **told, "steps": list(outcome.steps)}


@dataclass(frozen=True)
class Predictions:
    """What the job returns: a result for each file, in their order, and the targets with their classes."""

    targets: tuple[Target, ...]
    results: tuple[FileResult, ...]


def predict(
    files: Sequence[str | Path],
    *,
    run: str | None = None,
    weights: str | Path | None = None,
    config: str | None = None,
    top: int = 3,
    as_is: bool = False,
    device: DeviceChoice | None = None,
    data_dir: str | Path | None = None,
    runs_dir: str | Path | None = None,
    screen: Screen | None = None,
) -> Predictions:
    """The predictions of a run (default: the newest finished one) or of a weights file for image files.

    A file that can't be read is one of the results, and the rest go on. ``as_is`` turns off what is done to drawings
    for a run on white ink. Raises ImgclfError where run or weights are missing or don't fit.
    """
    screen = screen or Silent()
    source = find_source(run, Path(weights) if weights else None, config, runs_folder(runs_dir))
    newest = run is None and weights is None
    averaging = averaging_text(source.experiment.evaluation.test_time_augmentation)
    screen.say(f"predicting with {source.weights}{', of the newest finished run' if newest else ''}{averaging}")
    trained = open_trained(source, device, loading_once(source.experiment, data_dir, screen), screen)
    if trained.image_shape[2] == 1 and "ink" not in source.record and not as_is:
        screen.say("only a finished run tells whether its images are white ink on black: drawings are just resized")
    results: list[FileResult] = []
    for result in predict_files([Path(file) for file in files], trained, top=top, as_is=as_is):
        results.append(result)
        screen.progress("predicting", len(results), len(files))
    return Predictions(trained.targets, tuple(results))


def only(by_target: Mapping[str, Value], asked: str) -> Value:
    """What belongs to the only target. Raises ImgclfError where there are several; ``asked`` is what holds them all."""
    if len(by_target) > 1:
        named = ", ".join(f'{asked}["{name}"]' for name in by_target)
        raise ImgclfError(f"the run has {len(by_target)} targets, and each has its own: {named}")
    (value,) = by_target.values()
    return value


def predict_files(
    files: Sequence[Path], trained: Trained, *, top: int = 3, as_is: bool = False
) -> Iterator[FileResult]:
    """The results of image files, in their order; threads read the next files while the model has the last ones."""
    for batch in _read_ahead(files, _Preparation.of(trained, as_is)):
        readable = [outcome for _, outcome in batch if not isinstance(outcome, UnreadableImage)]
        predictions = iter(_classify(readable, trained, top))
        for file, outcome in batch:
            yield FileResult(file, outcome if isinstance(outcome, UnreadableImage) else next(predictions))


def predict_arrays(images: NDArray[np.uint8], trained: Trained, *, top: int = 3) -> list[Prediction]:
    """The predictions for uint8 (images, height, width, 1 or 3), brought to the run's size and channels."""
    preparation = _Preparation.of(trained, as_is=True)
    return _classify([preparation.fit(image, []) for image in images], trained, top)


@dataclass(frozen=True)
class _Prepared:
    """An image, uint8, of the shape that the model takes, and what was done to it."""

    image: NDArray[np.uint8]
    steps: tuple[str, ...]


@dataclass(frozen=True)
class _Preparation:
    """How an image of any size becomes what the model takes: by way of what the data set's own images look like."""

    data_shape: ImageShape
    fitted: ImageFit
    ink: InkStyle | None

    @classmethod
    def of(cls, trained: Trained, as_is: bool) -> _Preparation:
        record, dataset = trained.source.record, trained.source.experiment.dataset
        if not record:
            return cls(dataset.known_shape() or trained.image_shape, trained.fit, None)
        height, width, channels = record["data"]["image_shape"]
        ink = None if as_is or record.get("ink") is None else InkStyle.from_json(record["ink"])
        return cls((height, width, channels), trained.fit, ink)

    def read(self, file: Path) -> _Prepared | UnreadableImage:
        as_it_is = ImageFit(background=self.fitted.background)
        try:
            picture = read_picture(file, self.fitted if self.ink is None else as_it_is)
        except UnreadableImage as error:
            return error
        image, original = picture.pixels, (picture.height, picture.width)
        if self.data_shape[2] == 3:
            return self.fit(to_channels(image, 3), [], original)
        steps = [] if (image == image[..., :1]).all() else ["colour to grey"]
        image = to_channels(image, 1)
        if self.ink is None:
            return self.fit(image, steps, original)
        image, ink_steps = prepare_ink(image, self.ink, *self.data_shape[:2])
        return self.fit(image, steps + ink_steps)

    def fit(self, image: NDArray[np.uint8], steps: list[str], original: tuple[int, int] | None = None) -> _Prepared:
        """The image in the model's shape, as the training images are treated; ``original`` as in ``fit_image``."""
        steps = [*steps, *self.fitted.steps(*(original or image.shape[:2]))]
        if image.shape[2] != self.fitted.channels:
            steps = [*steps, "colour to grey" if self.fitted.channels == 1 else "grey repeated in 3 channels"]
        return _Prepared(fit_image(image, self.fitted, original), tuple(steps))


def _read_ahead(
    files: Sequence[Path], preparation: _Preparation
) -> Iterator[list[tuple[Path, _Prepared | UnreadableImage]]]:
    """The files, prepared, in batches; the next batch is read while the caller has one."""
    pool = ThreadPoolExecutor(thread_name_prefix="imgclf-read")
    reading: deque[list[tuple[Path, Future[_Prepared | UnreadableImage]]]] = deque()
    try:
        for first in range(0, len(files), BATCH):
            reading.append([(file, pool.submit(preparation.read, file)) for file in files[first : first + BATCH]])
            if len(reading) > 1:
                yield [(file, future.result()) for file, future in reading.popleft()]
        while reading:
            yield [(file, future.result()) for file, future in reading.popleft()]
    finally:
        pool.shutdown(cancel_futures=True)


def _classify(prepared: Sequence[_Prepared], trained: Trained, top: int) -> list[Prediction]:
    if not prepared:
        return []
    pixels = ArrayPixels(np.stack([one.image for one in prepared]))
    outputs = dict(zip((target.name for target in trained.targets), trained.forward.logits(pixels), strict=True))
    shares = {
        name: probabilities(scaled(logits, trained.temperatures.get(name, 1.0))) for name, logits in outputs.items()
    }
    answers = {
        target.name: [_answer(row, target.class_names, top) for row in shares[target.name]]
        for target in trained.targets
    }
    return [
        Prediction({name: of_images[position] for name, of_images in answers.items()}, one.steps)
        for position, one in enumerate(prepared)
    ]


def _answer(row: NDArray[np.float64], names: Sequence[str], top: int) -> Answer:
    guesses = [(names[index], float(row[index])) for index in np.argsort(-row, kind="stable")]
    return Answer(*guesses[0], tuple(guesses[:top]), row)
