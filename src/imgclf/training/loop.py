"""The life of a run: stages, epochs, chunks, validation, stopping."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from imgclf.augmentation.base import AugmentationSettings, Draws
from imgclf.evaluation.metrics import accuracy, cross_entropy
from imgclf.inference import Forward, Takes
from imgclf.preprocessing import Preprocessing, PreprocessingSettings
from imgclf.training.average import Average, averaged
from imgclf.training.dropout import Seeds
from imgclf.training.feed import Chunk, Feed, Span, spans
from imgclf.training.loss import Loss
from imgclf.training.order import Order
from imgclf.training.precision import LossScale
from imgclf.training.schedules import RunningSchedule
from imgclf.training.settings import StageSettings, TrainingSettings
from imgclf.training.step import ChunkResult, Step
from imgclf.training.stopping import EarlyStopping, EarlyStoppingSettings
from imgclf.training.trainable import set_trainable

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

Row = dict[str, Any]
AS_STORED = Preprocessing(PreprocessingSettings(scaling="none"))  # features are taken as they are
MEASURED = ("loss", "accuracy", "validation_loss", "validation_accuracy")  # what stopping and schedules can watch


@dataclass(frozen=True)
class Images:
    """What is trained or validated on: pixels that are taken by index, and labels int32 (images, targets)."""

    pixels: Takes
    labels: NDArray[np.int32]


@dataclass(frozen=True)
class Stored:
    """The features that a frozen body makes of the images, float32 (features,) each: what the head trains on."""

    train: Images
    validation: Images | None


@dataclass(frozen=True)
class Task:
    """Everything that a run is made of but the observer of it.

    ``body`` and ``head`` are the two parts of ``model``, with the same layers. ``stored`` holds features for
    stages that train the head alone, by number from 0.
    """

    model: keras.Model
    body: keras.Model
    head: keras.Model
    strategy: tf.distribute.Strategy
    settings: TrainingSettings
    stages: tuple[StageSettings, ...]
    preprocessing: Preprocessing
    augmentations: tuple[AugmentationSettings, ...]
    train: Images
    validation: Images | None
    class_weights: tuple[tuple[NDArray[np.float32] | None, ...], ...]  # by stage, by target
    seed: int
    stored: Mapping[int, Stored] = field(default_factory=dict)
    test_time_augmentation: Literal["flip"] | None = None  # in validation


class Observer(Protocol):
    """Who is told what happens in a run, and keeps what is to be kept."""

    def progressed(self, step: int, total: int, loss: float) -> None:
        """Steps done so far, of how many, and the training loss of the last chunk."""

    def measured(self, row: Row, model: keras.Model) -> None:
        """A row of metrics.csv: after each validation, or each epoch where there is none."""

    def save_last(self, model: keras.Model) -> None:
        """The weights are those after a stage's last step."""

    def save_best(self, model: keras.Model) -> None:
        """The weights are the best so far."""

    def load_best(self, model: keras.Model) -> None:
        """Put the best weights back into the model."""

    def summarise(self, step: Step, chunk: Chunk) -> None:
        """The chunk's first step is one whose variables, gradients and outputs are to be written."""


@dataclass
class Outcome:
    """How a run ended: its rows, the step whose loss was not finite (or None), and the stages that stopped early."""

    history: list[Row] = field(default_factory=list)
    steps: int = 0
    not_finite: tuple[int, int] | None = None
    stopped: list[str] = field(default_factory=list)


def fit(task: Task, observer: Observer) -> Outcome:
    """Train every stage of ``task``; the model holds the final weights afterwards.

    A step whose loss or gradient is not finite updates nothing and ends the run; the outcome names it.
    """
    outcome = Outcome()
    total = sum(stage_steps(stage, len(task.train.labels)) for stage in task.stages)
    first_epoch = 0
    for number, stage in enumerate(task.stages):
        first_epoch += _fit_stage(task, number, stage, first_epoch, total, observer, outcome)
        if outcome.not_finite:
            break
    return outcome


def stage_steps(stage: StageSettings, images: int) -> int:
    """How many steps a stage lasts."""
    return stage.steps or (stage.epochs or 0) * (images // stage.batch_size)


def prepare(task: Task, number: int, stage: StageSettings) -> Step:
    """The compiled step of a stage, with an optimizer of its own; the layers are set to what the stage trains."""
    set_trainable(task.model, task.head, stage.trainable, bool(stage.freeze_batch_normalization))
    is_stored, only_head = number in task.stored, stage.trainable == "head"
    model = task.head if only_head else task.model
    with task.strategy.scope():
        optimizer = stage.optimizer.build()
        optimizer.build(model.trainable_variables)
        scale = LossScale(task.settings.precision)
        average = Average(model, stage.weight_average) if stage.weight_average else None
    return Step(
        model,
        task.body if only_head and not is_stored else None,
        optimizer,
        stage,
        Loss(stage.label_smoothing, task.class_weights[number], stage.loss),
        AS_STORED if is_stored else task.preprocessing,
        augmentations_of(task, stage),
        Seeds(model, task.seed),
        scale,
        average,
        task.strategy,
    )


def _fit_stage(
    task: Task,
    number: int,
    stage: StageSettings,
    first_epoch: int,
    total: int,
    observer: Observer,
    outcome: Outcome,
) -> int:
    """Train one stage and return the number of epochs that it began."""
    seen = task.stored.get(number) or Stored(task.train, task.validation)
    images, last, before = len(task.train.labels), stage_steps(stage, len(task.train.labels)), outcome.steps
    steps_per_epoch, since, done = images // stage.batch_size, Since(), 0
    step = prepare(task, number, stage)
    forward = _forward(task, number, step)
    train, schedule = step.compiled(), stage.schedule.start()
    stopping = EarlyStopping(stage.early_stopping or EarlyStoppingSettings())
    for chunk in _feed(task, stage, seen.train).chunks(
        _spans(task.settings, last, steps_per_epoch, before, first_epoch)
    ):
        if _due(task.settings.tensorboard.summaries_every, done):
            observer.summarise(step, chunk)
        rates = schedule.learning_rates(stage.optimizer.learning_rate, done, chunk.span.steps, steps_per_epoch, last)
        result = train(chunk, rates)
        since.add(result)
        done += result.steps
        outcome.steps = before + done
        if not result.finite:
            outcome.not_finite = (outcome.steps + 1, chunk.span.epoch + 1)
            break
        observer.progressed(outcome.steps, total, result.loss)
        if done < last and not _measure_now(task, done, steps_per_epoch):
            continue
        row = {"epoch": round(first_epoch + done / steps_per_epoch, 4), "step": outcome.steps, "stage": number + 1}
        with averaged(step.average):
            row |= {"learning_rate": float(rates[-1]), **since.take(), **_validate(forward, seen.validation)}
            outcome.history.append(row)
            _judge(task, stage, row, (done - 1) // steps_per_epoch, schedule, stopping, observer)
        if stage.early_stopping and stopping.stop:
            outcome.stopped.append(_stopped_early(task, number, stage, done, last, stopping))
            break
    if step.average is not None:
        step.average.put()
    _end_stage(task, stage, stopping, observer, outcome)
    return -(-done // steps_per_epoch)


def _forward(task: Task, number: int, step: Step) -> Forward:
    """What validates a stage: the whole model, or the head on stored features."""
    if number in task.stored:
        return Forward(task.head, step.preprocessing.apply)
    return Forward(task.model, step.preprocessing.apply, task.test_time_augmentation)


def _stopped_early(task: Task, number: int, stage: StageSettings, done: int, last: int, stopping: EarlyStopping) -> str:
    """For the user: where a stage ended, why, and whose weights are kept."""
    steps_per_epoch = len(task.train.labels) // stage.batch_size
    ended = (
        f"after {done} of {last} steps" if stage.steps else f"after epoch {done / steps_per_epoch:g} of {stage.epochs}"
    )
    which = f"stage {number + 1} " if len(task.stages) > 1 else ""
    restores = stopping.settings.restore_best_weights and stopping.best is not None
    kept = "; the best weights, from before that, are restored" if restores else ""
    return f"{which}stopped early {ended}: {stopping.reason()}{kept}"


def _judge(
    task: Task,
    stage: StageSettings,
    row: Row,
    epoch: int,
    schedule: RunningSchedule,
    stopping: EarlyStopping,
    observer: Observer,
) -> None:
    """Let stopping and schedule see a row, keep the weights if they are the best so far, and tell the observer.

    ``epoch`` of the stage, counted from 0, holds the row's last step.
    """
    metrics = {name: row[name] for name in MEASURED if row[name] is not None}
    if task.validation is not None or stage.early_stopping:
        # Patience counts rows; only the epochs that are to be ignored at the start count epochs.
        stopping.update(metrics, epoch if stopping.settings.start_from_epoch else None)
        if stopping.improved:
            observer.save_best(task.model)
    schedule.observe(metrics)
    observer.measured(row, task.model)


def _end_stage(task: Task, stage: StageSettings, stopping: EarlyStopping, observer: Observer, outcome: Outcome) -> None:
    """Keep the last weights, and go back to the best where the stage asks for it and came to a good end."""
    observer.save_last(task.model)
    wanted = stage.early_stopping is not None and stage.early_stopping.restore_best_weights
    if wanted and stopping.best is not None and outcome.not_finite is None:
        observer.load_best(task.model)


def _feed(task: Task, stage: StageSettings, train: Images) -> Feed:
    images = len(train.labels)
    order = Order(images, stage.batch_size, task.seed)
    draws = Draws(augmentations_of(task, stage), images, task.seed)
    return Feed(train.pixels, train.labels, order, draws, stage.batch_size)


def augmentations_of(task: Task, stage: StageSettings) -> tuple[AugmentationSettings, ...]:
    """The stage's own list, or the experiment's."""
    return task.augmentations if stage.augmentation is None else stage.augmentation


def _spans(settings: TrainingSettings, last: int, steps_per_epoch: int, before: int, first_epoch: int) -> list[Span]:
    stops = [stop for stop in (settings.validate_every, settings.tensorboard.summaries_every) if isinstance(stop, int)]
    cut = spans(0, last, steps_per_epoch, settings.steps_per_call or 1, tuple(stops))
    return [Span(before + span.first, first_epoch + span.epoch, span.step, span.steps) for span in cut]


def _measure_now(task: Task, done: int, steps_per_epoch: int) -> bool:
    every = task.settings.validate_every
    return done % (steps_per_epoch if every == "epoch" else every) == 0


def _due(every: int | None, step: int) -> bool:
    return every is not None and step % every == 0


def _validate(forward: Forward, validation: Images | None) -> Row:
    if validation is None:
        return {"validation_loss": None, "validation_accuracy": None}
    logits = forward.logits(validation.pixels)
    if not all(np.isfinite(one).all() for one in logits):
        # Weights that have run away: the next step finds it out and names itself, unless this was the last one.
        return {"validation_loss": math.nan, "validation_accuracy": math.nan}
    losses = [cross_entropy(one, validation.labels[:, i]) for i, one in enumerate(logits)]
    accuracies = [accuracy(one, validation.labels[:, i]) for i, one in enumerate(logits)]
    return {"validation_loss": float(sum(losses)), "validation_accuracy": float(np.mean(accuracies))}


class Since:
    """Training loss and accuracy since the last row, over all steps that changed the weights alike."""

    def __init__(self) -> None:
        self._steps, self._loss, self._accuracy = 0, 0.0, 0.0

    def add(self, result: ChunkResult) -> None:
        """Take in what a chunk did."""
        self._steps += result.updates
        self._loss += result.loss * result.updates
        self._accuracy += result.accuracy * result.updates

    def take(self) -> Row:
        """Mean loss and accuracy, and begin anew."""
        steps = max(self._steps, 1)
        means = {"loss": self._loss / steps, "accuracy": self._accuracy / steps}
        self._steps, self._loss, self._accuracy = 0, 0.0, 0.0
        return means
