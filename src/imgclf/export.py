"""The job `export`: a run's model, with all that `predict` does around it, for programs that don't know imgclf."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import SelectedPixels
from imgclf.datasets.pixels.pieces import spread
from imgclf.datasets.pixels.rounded import rounded
from imgclf.datasets.pixels.shaped import shaped
from imgclf.errors import ImgclfError, WorkFailed, encodable
from imgclf.exported_model import INPUT, OUTPUT, exported_model, foreign_layers, output_names
from imgclf.loading import load_splits
from imgclf.places import runs_folder
from imgclf.predict import predict_arrays
from imgclf.runs.files import json_text, replacing, replacing_folder, write_whole
from imgclf.screen import Screen, Silent
from imgclf.serving import rounding_tolerance
from imgclf.trained import Source, Trained, find_source, open_trained

if TYPE_CHECKING:
    import keras

ExportFormat = Literal["keras", "saved_model"]
CLASS_NAMES = "class_names"
IMAGES = 32
READER = Path(__file__).with_name("export_reader.py")


@dataclass(frozen=True)
class Exported:
    """What was written: where, its size, the classes by output, and by how much it differs from `predict` at most."""

    path: Path
    size_bytes: int
    image_shape: tuple[int, int, int]
    class_names: Mapping[str, tuple[str, ...]]
    largest_difference: float


def export(
    run: str,
    form: ExportFormat,
    output: Path | None = None,
    *,
    data_dir: str | Path | None = None,
    runs_dir: str | Path | None = None,
    screen: Screen | None = None,
) -> Exported:
    """Write the model of a run as ``form``, by default into its folder.

    A fresh Python without imgclf reads it back, and must answer as `predict` does. Raises ImgclfError where the run is
    missing, something is there already or the format can't hold a layer, and WorkFailed, leaving nothing, where the
    answers differ.
    """
    screen = screen or Silent()
    source, path = find_exported(run, form, output, runs_dir)
    screen.say(f"exporting {source.weights}")
    trained = open_trained(source, "cpu", _no_data, screen)
    model = exported_model(trained, for_keras=form == "keras")
    if form == "keras" and (obstacles := foreign_layers(model)):
        raise ImgclfError(
            f"{source.weights}: Keras alone can't load a file with {', '.join(obstacles)}, which is a layer of imgclf",
            hint="export the operations themselves: --format saved_model",
        )
    images, which = _images(trained, data_dir, screen)
    classes = _class_names(trained)
    if form == "keras":
        with replacing(path) as temporary:
            model.save(temporary)
            difference = check_exported(temporary, form, trained, images)
        write_whole(_names_file(path), _names_text(classes))
    else:
        with replacing_folder(path) as temporary:
            _save_operations(model, classes, trained.image_shape, temporary)
            difference = check_exported(temporary, form, trained, images)
    reader = "Keras" if form == "keras" else "TensorFlow"
    screen.say(
        f"read back by {reader} without imgclf: {which} get the probabilities of predict, within {difference:.1e}"
    )
    return Exported(path, _size(path), trained.image_shape, classes, difference)


def find_exported(
    run: str, form: ExportFormat, output: Path | None, runs_dir: str | Path | None
) -> tuple[Source, Path]:
    """The run that is meant and the path to write. Raises ImgclfError, before TensorFlow is needed."""
    source = find_source(run, None, None, runs_folder(runs_dir))
    assert source.run is not None
    path = output or source.run.path / "export" / ("model.keras" if form == "keras" else "saved_model")
    if form == "keras" and path.suffix != ".keras":
        raise ImgclfError(f"{path}: must end in .keras, by which Keras knows its format")
    for taken in (path, *([_names_file(path)] if form == "keras" else [])):
        if os.path.lexists(taken):
            raise ImgclfError(f"{taken}: is there already, and is not written over", hint="name another: --output PATH")
    return source, path


def check_exported(path: Path, form: ExportFormat, trained: Trained, images: NDArray[np.uint8]) -> float:
    """The largest difference of a probability between the model at ``path``, read back, and `predict`.

    ``images`` are uint8 (images, height, width, channels) of the model's shape. Raises WorkFailed where the model can't
    be read back, or differs by more than rounding.
    """
    answers = _read_back(path, form, images)
    predictions = predict_arrays(images, trained)
    difference = max(
        float(np.abs(answers[name] - np.stack([one.targets[target].probabilities for one in predictions])).max())
        for target, name in output_names(trained.targets).items()
    )
    tolerance = rounding_tolerance(trained)
    if not difference <= tolerance:
        raise WorkFailed(
            f"{trained.source.weights}: the exported model must answer as predict does, within {tolerance:g}; a "
            f"probability differs by {difference:.2g}, so it was removed again"
        )
    return difference


def _images(trained: Trained, data_dir: str | Path | None, screen: Screen) -> tuple[NDArray[np.uint8], str]:
    """Up to 32 images in the model's shape, and what they are; noise where the run's data is not there."""
    try:
        splits = load_splits(trained.source.experiment, data_dir, screen)
    except ImgclfError as error:
        screen.say(f"the run's data is not there ({error}), so the model is tried on noise")
        numbers = np.random.default_rng(0)
        return numbers.integers(0, 256, (IMAGES, *trained.image_shape), np.uint8), f"{IMAGES} images of noise"
    name, split = ("validation", splits.validation) if splits.validation else ("training", splits.train)
    some = SelectedPixels(rounded(split.pixels), spread(len(split), IMAGES))
    return shaped(some, trained.fit).take(np.arange(len(some))), f"{len(some)} {name} images"


def _class_names(trained: Trained) -> dict[str, tuple[str, ...]]:
    names = output_names(trained.targets)
    return {names[one.name]: tuple(map(encodable, one.class_names)) for one in trained.targets}


def _names_file(path: Path) -> Path:
    return path.with_name(f"{CLASS_NAMES}.json")


def _names_text(classes: Mapping[str, tuple[str, ...]]) -> str:
    return json_text({output: list(names) for output, names in classes.items()}) + "\n"


def _save_operations(
    model: keras.Model, classes: Mapping[str, tuple[str, ...]], image_shape: tuple[int, int, int], folder: Path
) -> None:
    """Write a SavedModel whose signature serving_default gives probabilities and class names, (batch, classes) each."""
    import tensorflow as tf

    outputs = {name: name.replace(OUTPUT, CLASS_NAMES, 1) for name in classes}

    def serve(images: Any) -> dict[str, Any]:
        found = model(images, training=False)
        found = found if isinstance(found, dict) else {OUTPUT: found}
        # A row an image: a server that cuts batches apart wants that of every output.
        rows = tf.shape(images)[0]
        names = {outputs[name]: tf.tile(tf.constant([classes[name]]), [rows, 1]) for name in classes}
        return {**found, **names}

    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / f"{CLASS_NAMES}.json"
        file.write_text(_names_text(classes), encoding="utf-8")
        module.names_file = tf.saved_model.Asset(str(file))
        signature = tf.TensorSpec((None, *image_shape), tf.uint8, INPUT)
        module.serve = tf.function(serve, input_signature=[signature])
        tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})


def _read_back(path: Path, form: ExportFormat, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """What a fresh Python, which imports no imgclf, makes of the images with the model. Raises WorkFailed."""
    with tempfile.TemporaryDirectory() as place:
        given, found = Path(place) / "images.npy", Path(place) / "answers.npz"
        np.save(given, images)
        arguments = [form, str(path.absolute()), str(given), str(found)]
        command = [sys.executable, "-c", READER.read_text(encoding="utf-8"), *arguments]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}
        ended = subprocess.run(command, capture_output=True, cwd=place, env=environment, text=True, errors="replace")
        if ended.returncode:
            last = (ended.stderr.strip().splitlines() or [f"status {ended.returncode}"])[-1]
            raise WorkFailed(f"the exported model can't be read back without imgclf, so it was removed again: {last}")
        with np.load(found, allow_pickle=False) as arrays:
            return dict(arrays)


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _no_data() -> Any:
    raise AssertionError("a run is opened without its data")
