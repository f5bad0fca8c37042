"""The training of heads that scikit-learn fits at once: on the body's features, then back into the whole network."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imgclf.errors import ImgclfError, WorkFailed
from imgclf.evaluation.calibration import NoTemperature, fit_temperature
from imgclf.evaluation.metrics import accuracy, cross_entropy
from imgclf.experiment.load import experiment_text
from imgclf.experiment.schema import Experiment
from imgclf.inference import Forward
from imgclf.models.classical_heads import ClassicalHead, Weights
from imgclf.models.heads import attach_heads, cut, head_name
from imgclf.recording import Recorder
from imgclf.runs.files import write_whole
from imgclf.runs.folder import RunFolder
from imgclf.training.precision import computing_in
from imgclf.training.progress import Outcome
from imgclf.training.settings import Precision
from imgclf.training.task import AS_STORED, Images, Stored, Task


def fit_classical(
    task: Task, experiment: Experiment, target: str, run: RunFolder, recorder: Recorder
) -> tuple[Task, Outcome]:
    """Fit the head on the features of the training images, and scale its outputs on those of the validation images.

    Returns the task with the whole network, and the outcome. ``target`` is the name of the only one. The run's
    experiment is written anew, now that the head's size is known.
    """
    head, seen, name = experiment.model.head, _features(task), head_name(target)
    assert isinstance(head, ClassicalHead)
    labels = seen.train.labels[:, 0]
    _check_classes(labels, int(task.head.output_shape[-1]))
    features = seen.train.pixels.take(np.arange(len(labels)))
    _check_features(features, task.settings.precision)
    fitted = head.fit(features, labels, task.class_weights[0][0], name, experiment.seed)
    recorder.say(fitted.note)
    task = _with_head(task, fitted.head, fitted.weights, target)
    _scale(task, name, seen.validation, recorder)
    write_whole(run.experiment, experiment_text(_with_settings(experiment, fitted.head)))
    run.update(parameters=task.model.count_params())
    outcome = Outcome(history=[_row(task, seen)])
    recorder.measured(outcome.history[0], task.model)
    recorder.save_last(task.model)
    return task, outcome


def _check_classes(labels: NDArray[np.int32], classes: int) -> None:
    empty = int(np.sum(np.bincount(labels, minlength=classes) == 0))
    if empty:
        raise ImgclfError(
            f"model.head: must find training images of each of the {classes} classes; {empty} have none",
            hint="leave these classes out of the data, or take the head softmax",
        )


def _check_features(features: NDArray[np.float32], precision: Precision) -> None:
    broken = int(np.sum(~np.isfinite(features).all(axis=1)))
    if broken:
        raise WorkFailed(
            f"model.head: the body's features of {broken:,} of {len(features):,} training images are not finite",
            hint="take training.precision float32 or bfloat16" if precision == "float16" else None,
        )
    if not np.ptp(features, axis=0).any():
        raise WorkFailed(f"model.head: the body gives all {len(features):,} training images the same features")


def _features(task: Task) -> Stored:
    """The features of both splits: those of the store, or where there is none, computed into memory."""
    if 0 in task.stored:
        return task.stored[0]
    forward = Forward(task.body, task.preprocessing.apply)
    validation = task.validation and Images(
        _InMemory(forward.logits(task.validation.pixels)[0]), task.validation.labels
    )
    return Stored(Images(_InMemory(forward.logits(task.train.pixels)[0]), task.train.labels), validation)


@dataclass(frozen=True)
class _InMemory:
    features: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.features)

    def take(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.features[indices]


def _with_head(task: Task, head: ClassicalHead, weights: Weights, target: str) -> Task:
    """The task with the body's network under the fitted head."""
    with task.strategy.scope(), computing_in(task.settings.precision):
        model = attach_heads(task.body, {target: int(task.head.output_shape[-1])}, head)
    for name, arrays in weights.items():
        model.get_layer(name).set_weights(arrays)
    return replace(task, model=model, head=cut(model)[1])


def _scale(task: Task, name: str, validation: Images | None, recorder: Recorder) -> None:
    """Divide the decision values by the temperature at which they make the best probabilities on validation."""
    if validation is None:
        recorder.say("decision values stand for logits as they are: there is no validation split to scale them on")
        return
    try:
        temperature = fit_temperature(_logits(task, validation), validation.labels[:, 0])
    except NoTemperature as reason:
        recorder.say(f"decision values stand for logits as they are: {reason}")
        return
    layer = task.model.get_layer(name)
    layer.set_weights([array / temperature for array in layer.get_weights()])
    recorder.say(f"decision values are divided by {temperature:.4g}, the best for the validation images' probabilities")


def _logits(task: Task, images: Images) -> NDArray[np.float32]:
    return Forward(task.head, AS_STORED.apply).logits(images.pixels)[0]


def _with_settings(experiment: Experiment, head: ClassicalHead) -> Experiment:
    return experiment.model_copy(update={"model": experiment.model.model_copy(update={"head": head})})


def _row(task: Task, seen: Stored) -> dict[str, float | int | None]:
    """The one row of metrics.csv."""
    row: dict[str, float | int | None] = {"epoch": 1, "step": 1, "stage": 1, "learning_rate": None}
    for prefix, images in (("", seen.train), ("validation_", seen.validation)):
        logits = None if images is None else _logits(task, images)
        labels = None if images is None else images.labels[:, 0]
        row[f"{prefix}loss"] = None if logits is None or labels is None else cross_entropy(logits, labels)
        row[f"{prefix}accuracy"] = None if logits is None or labels is None else accuracy(logits, labels)
    return row
