"""A run as Python has it: `load_run`, and what can be asked of the run that it gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imgclf.errors import ImgclfError
from imgclf.evaluate import SplitName, evaluate
from imgclf.images.decode import UnreadableImage
from imgclf.loading import loading_once
from imgclf.places import runs_folder
from imgclf.predict import Prediction, only, predict_arrays, predict_files
from imgclf.runs.folder import read_json
from imgclf.screen import Silent
from imgclf.settings import ImageShape
from imgclf.trained import Trained, find_source, open_trained
from imgclf.training.devices import DeviceChoice

if TYPE_CHECKING:
    from imgclf.experiment.schema import Experiment


def load_run(
    run: str | Path = "latest", *, device: DeviceChoice | None = None, runs_dir: str | Path | None = None
) -> Run:
    """The trained model of a run: its folder, its name under ``runs_dir``, or ``latest``, the newest finished one.

    TensorFlow is imported here. Raises ImgclfError where there is no such run or its weights don't fit.
    """
    source = find_source(str(run), None, None, runs_folder(runs_dir))
    screen = Silent()
    return Run(open_trained(source, device, loading_once(source.experiment, None, screen), screen), device)


class Run:
    """A trained run, ready to classify images; made by :func:`load_run`."""

    def __init__(self, trained: Trained, device: DeviceChoice | None) -> None:
        assert trained.source.run is not None
        self._trained, self._device, self._folder = trained, device, trained.source.run

    def __repr__(self) -> str:
        return f"load_run({str(self.path)!r})"

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._folder.path

    @property
    def experiment(self) -> Experiment:
        """The complete, resolved experiment."""
        return self._trained.source.experiment

    @property
    def record(self) -> dict[str, Any]:
        """The content of run.json: status, versions, machine, data, times."""
        return self._folder.record()

    @property
    def report(self) -> dict[str, Any]:
        """The content of report.json: the evaluation on the test split. Raises ImgclfError where there is none."""
        return read_json(self._folder.report)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of their labels. Raises ImgclfError where the run has several targets."""
        return only(self.targets, "run.targets")

    @property
    def targets(self) -> dict[str, tuple[str, ...]]:
        """The classes of each target, by its name, in the order of their labels."""
        return {target.name: target.class_names for target in self._trained.targets}

    @property
    def temperatures(self) -> dict[str, float]:
        """By target, what scales the probabilities; empty where `imgclf evaluate --calibrate` fitted nothing."""
        return dict(self._trained.temperatures)

    @property
    def image_shape(self) -> ImageShape:
        """Height, width and channels of the images that the model takes."""
        return self._trained.image_shape

    def predict(
        self, images: str | Path | Sequence[str | Path] | NDArray[Any], *, top: int = 3, as_is: bool = False
    ) -> Prediction | list[Prediction]:
        """The prediction for one image, or a list of them for several, in their order.

        ``images`` is a path, a sequence of paths, or a uint8 array of pixels 0 to 255: one image (height, width) or
        (height, width, channels), or several, (images, height, width) or (images, height, width, channels), with 1
        channel or 3 (red, green, blue). A file is treated as `imgclf predict` does, a drawing in dark ink included
        unless ``as_is``. An array of the run's own shape goes in as it is, and any other is resized and given the
        run's channels; its ink is not touched: for a run on white ink on black, pass white on black. Raises
        ImgclfError for anything else, and UnreadableImage for the first file that can't be read.
        """
        if isinstance(images, np.ndarray):
            batch, is_one = _as_batch(images)
            predictions = predict_arrays(batch, self._trained, top=top)
            return predictions[0] if is_one else predictions
        if isinstance(images, str | Path):
            return self._predict_files([images], top, as_is)[0]
        if not isinstance(images, Sequence) or not all(isinstance(one, str | Path) for one in images):
            raise ImgclfError(
                f"predict: images must be a path, a list of paths or a numpy array; got {type(images).__name__}",
                hint="several images in one array: numpy.stack(images); a picture of Pillow: numpy.asarray(picture)",
            )
        return self._predict_files(images, top, as_is)

    def evaluate(self, split: SplitName = "test", data_dir: str | Path | None = None) -> dict[str, Any]:
        """The report on one split of the run's data; writes report and pictures into its folder, as the command does.

        Raises ImgclfError where the data are missing or have other classes.
        """
        return evaluate(str(self.path), split=split, device=self._device, data_dir=data_dir)

    def _predict_files(self, files: Sequence[str | Path], top: int, as_is: bool) -> list[Prediction]:
        predictions = []
        for result in predict_files([Path(file) for file in files], self._trained, top=top, as_is=as_is):
            if isinstance(result.outcome, UnreadableImage):
                raise result.outcome
            predictions.append(result.outcome)
        return predictions


def _as_batch(array: NDArray[Any]) -> tuple[NDArray[np.uint8], bool]:
    """Images (images, height, width, channels), and whether it was one image without the first axis."""
    if array.dtype != np.uint8:
        raise _wrong_type(array)
    channels_last = array.ndim > 2 and array.shape[-1] <= 4  # else a third axis is the width of several grey images
    batch = array if channels_last else array[..., np.newaxis]
    is_one = batch.ndim == 3
    batch = batch[np.newaxis] if is_one else batch
    if batch.ndim != 4 or batch.shape[3] not in (1, 3) or 0 in batch.shape[1:]:
        raise ImgclfError(
            f"predict: an array must be (height, width), (height, width, channels), (images, height, width) or "
            f"(images, height, width, channels), with 1 channel or 3; got {array.shape}"
        )
    return batch, is_one


def _wrong_type(array: NDArray[Any]) -> ImgclfError:
    message = f"predict: an array must be uint8, with pixels from 0 to 255; got {array.dtype}"
    if array.size and array.dtype.kind in "fiu":
        message += f" from {array.min():g} to {array.max():g}"
    whole = array.dtype.kind in "iu"
    hint = "array.astype('uint8')" if whole else "pixels of 0 to 1: (array * 255).round().astype('uint8')"
    return ImgclfError(message, hint=hint)
