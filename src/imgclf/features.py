"""Stored features: what a frozen body makes of the images, computed once and mapped from the disk by later runs."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import SelectedPixels, Split, Splits
from imgclf.datasets.pixels.shaped import shaped
from imgclf.datasets.split import fingerprint
from imgclf.errors import WorkFailed
from imgclf.experiment.schema import Experiment
from imgclf.feature_files import described_in, open_features
from imgclf.images.fit import ImageFit
from imgclf.inference import Forward, Takes
from imgclf.models.application import Application
from imgclf.models.base import ModelSettings
from imgclf.models.transfer import Transfer
from imgclf.places import features_folder
from imgclf.preprocessing import Preprocessing
from imgclf.recording import Recorder
from imgclf.runs.files import replacing, write_json
from imgclf.screen import Screen
from imgclf.training.task import Images, Stored, Task

if TYPE_CHECKING:
    import keras

SPARE_BYTES = 2**28  # disk that is left free
NOT_OF_THE_BODY = ("head", "weights", "run")  # settings of a model


@dataclass(frozen=True)
class MappedFeatures:
    """Features float32 (images, numbers) in a file, mapped."""

    features: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.features)

    def take(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features of these images, float32 (indices, numbers)."""
        return self.features[indices]


@dataclass(frozen=True)
class SelectedFeatures:
    """Some rows of stored features."""

    features: MappedFeatures
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features of these images, float32 (indices, numbers)."""
        return self.features.take(self.rows[indices])


@dataclass(frozen=True)
class Body:
    """A frozen body with its preprocessing, and what tells it from any other."""

    forward: Forward
    numbers: int
    digest: str
    described: Mapping[str, Any]

    @classmethod
    def of(cls, experiment: Experiment, body: keras.Model, preprocessing: Preprocessing) -> Body:
        """The body of a model as it stands, with the weights that it has now."""
        described = {"network": _network_text(experiment.model), "shape": list(body.input_shape[1:])}
        forward, digest = Forward(body, preprocessing.apply), _digest(experiment, body, preprocessing)
        return cls(forward, int(body.output_shape[-1]), digest, described)


def with_stored_features(
    task: Task,
    experiment: Experiment,
    splits: Splits,
    fitting: ImageFit,
    recorder: Recorder,
    screen: Screen,
    first_stage: int = 0,
) -> Task:
    """The task with stored features for each stage that trains the head alone, where that is the same to it.

    A run that goes on has no use for those of the stages before ``first_stage``, which is counted from 0.
    ``fitting`` brings images to the shape that the model takes. What stands against it is said.
    """
    reasons = unstorable_stages(experiment)
    for number, reason in reasons.items():
        recorder.say(f"stage {number + 1}: features are not stored, since {reason}")
    numbers = [one for one, stage in enumerate(task.stages) if stage.trainable == "head" and one not in reasons]
    if not any(one >= first_stage for one in numbers):
        return task
    body = Body.of(experiment, task.body, task.preprocessing)
    stored = _Store(body, experiment.dataset.name, fitting, features_folder(), recorder, screen).stored(splits)
    return task if stored is None else replace(task, stored=dict.fromkeys(numbers, stored))


def unstorable_stages(experiment: Experiment) -> dict[int, str]:
    """The stages, by number from 0, that train the head alone but can't do so on stored features, and why."""
    reasons, body_changed = {}, False
    for number, stage in enumerate(experiment.stages()):
        if stage.trainable != "head":
            body_changed = True
        elif stage.augmentations(experiment.augmentation):
            reasons[number] = "its images are augmented"
        elif body_changed:
            reasons[number] = "an earlier stage changes the body"
        elif experiment.evaluation.test_time_augmentation:
            reasons[number] = "evaluation.test_time_augmentation asks for mirrored images"
    return reasons


@dataclass(frozen=True)
class _Store:
    """The features of one body on the images of one data set, in a folder."""

    body: Body
    dataset: str
    fitting: ImageFit
    folder: Path
    recorder: Recorder
    screen: Screen

    def stored(self, splits: Splits) -> Stored | None:
        """The features of the training and validation images; None where the disk does not take them.

        Splits that are drawn from the same images are stored as one, so that another seed's draw finds them too.
        """
        train, validation = splits.train, splits.validation
        if validation is None:
            images = self._images(train)
            return None if images is None else Stored(images, None)
        if (joined := _joined(train, validation)) is None:
            of_train, of_validation = self._images(train), self._images(validation)
            return Stored(of_train, of_validation) if of_train and of_validation else None
        together, rows, validation_rows = joined
        found = self._images(together)
        return None if found is None else Stored(_rows(found, rows), _rows(found, validation_rows))

    def _images(self, split: Split) -> Images | None:
        """A split's features with its labels, taken from the folder or put there; None where it does not take them."""
        key = hashlib.sha256(f"{fingerprint(split)} {self.body.digest}".encode()).hexdigest()[:32]
        file, shape = self.folder / f"{key}.npy", (len(split), self.body.numbers)
        if (kept := self._kept(file, shape)) is not None:
            self.recorder.say(f"features of {len(split):,} images taken from {file}")
            return Images(MappedFeatures(kept), split.labels)
        if not self._has_room(4 * shape[0] * shape[1]):
            return None
        started = time.monotonic()
        try:
            write_features(file, shape, self._parts(shaped(split.pixels, self.fitting)))
            write_json(described_in(file), {"dataset": self.dataset, **self.body.described})
        except WorkFailed as refused:
            self.recorder.say(f"features are not stored: {refused}")
            return None
        seconds = time.monotonic() - started
        self.recorder.say(
            f"features of {len(split):,} images computed in {seconds:.1f} s ({len(split) / seconds:,.0f} images a "
            f"second), kept in {file}"
        )
        return Images(MappedFeatures(open_features(file)), split.labels)

    def _kept(self, file: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
        if not file.exists():
            return None
        try:
            found = open_features(file)
        except ValueError as error:
            self.recorder.say(f"{file}: computed anew: {error}")
            return None
        if found.shape == shape:
            return found
        self.recorder.say(f"{file}: computed anew: must hold features {shape}; found {found.shape}")
        return None

    def _has_room(self, size: int) -> bool:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            self.recorder.say(f"features are not stored: {self.folder}: cannot be written: {error.strerror or error}")
            return False
        if size + SPARE_BYTES <= free:
            return True
        self.recorder.say(
            f"features are not stored: they take {size / 1e6:,.0f} MB, and {self.folder} has {free / 1e6:,.0f} MB free"
        )
        return False

    def _parts(self, pixels: Takes) -> Iterator[list[NDArray[np.float32]]]:
        done = 0
        for parts in self.body.forward.parts(pixels):
            done += len(parts[0])
            self.screen.progress("computing features", done, len(pixels))
            yield parts


def _joined(train: Split, validation: Split) -> tuple[Split, NDArray[np.int64], NDArray[np.int64]] | None:
    """Both splits as one, in the order of the images that they were drawn from, and the rows of each in it.

    None where they were not drawn from the same images.
    """
    pixels, others = train.pixels, validation.pixels
    if not (
        isinstance(pixels, SelectedPixels) and isinstance(others, SelectedPixels) and pixels.pixels is others.pixels
    ):
        return None
    positions = np.concatenate([pixels.positions, others.positions])
    order = np.argsort(positions, kind="stable")
    rows = np.empty(len(order), np.int64)
    rows[order] = np.arange(len(order))
    labels = np.concatenate([train.labels, validation.labels])[order]
    together = Split(SelectedPixels(pixels.pixels, positions[order]), labels)
    return together, rows[: len(train)], rows[len(train) :]


def _rows(images: Images, rows: NDArray[np.int64]) -> Images:
    assert isinstance(images.pixels, MappedFeatures)
    return Images(SelectedFeatures(images.pixels, rows), images.labels[rows])


def write_features(file: Path, shape: tuple[int, int], parts: Iterable[list[NDArray[np.float32]]]) -> None:
    """Write features as they come, float32 of ``shape`` (images, numbers), whole or not at all.

    ``parts`` are those of ``Forward.parts`` of a body: lists of one array.
    """
    with replacing(file) as temporary:
        written = 0
        with temporary.open("wb") as stream:  # a full disk is an error here, and a killed process behind a memory map
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, header)
            for (part,) in parts:
                stream.write(np.ascontiguousarray(part, "<f4").data)
                written += part.size
        assert written == shape[0] * shape[1], f"{written} numbers for {shape}"


def _digest(experiment: Experiment, body: keras.Model, preprocessing: Preprocessing) -> str:
    """What the features depend on besides the images: the network, its weights, preprocessing, precision, versions.

    Weights count by their numbers, wherever they were read from.
    """
    says: Mapping[str, Any] = {
        "model": _network(experiment.model.model_dump(mode="json")),
        "input": list(body.input_shape[1:]),
        "preprocessing": experiment.preprocessing.model_dump(mode="json"),
        "precision": experiment.training.precision,
        "runtime": experiment.runtime.model_dump(mode="json"),
        "versions": [metadata.version(name) for name in ("imgclf", "keras", "tensorflow")],
    }
    digest = hashlib.sha256(json.dumps(says, sort_keys=True).encode())
    for name, array in sorted(preprocessing.fitted.items()):
        digest.update(name.encode() + array.tobytes())
    for variable in body.variables:
        if "seed_generator" not in variable.path:
            digest.update(np.ascontiguousarray(variable.numpy()).data)
    return digest.hexdigest()


def _network(model: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a model that say which body it builds, without those that say what fills it."""
    kept = {key: value for key, value in model.items() if key not in NOT_OF_THE_BODY}
    return kept | ({"body": _network(kept["body"])} if kept.get("body") else {})


def _network_text(model: ModelSettings) -> str:
    """Which network it is, for people, with the layer at which it is cut."""
    until = f" up to {model.cut_layer()}" if model.cut_layer() else ""
    if isinstance(model, Application):
        return model.application + until
    if isinstance(model, Transfer) and model.body:
        return _network_text(model.body) + until
    return str(model.name)  # type: ignore[attr-defined]  # each model has a name of its own type
