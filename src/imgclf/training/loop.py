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
from imgclf.runs.hdf5 import settle_normalization
from imgclf.training.average import Average, averaged
from imgclf.training.checkpoint import Part, Variables, restore, states
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
Saved = Mapping[str, Mapping[str, Any]]  # what a checkpoint holds: by part, by name
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

    def interrupted(self) -> bool:
        """Whether the run is to end after this chunk, with a checkpoint."""

    def checkpoint(self, step: int, saved: Saved, needed: bool) -> None:
        """After ``step`` steps the rest of the run depends on ``saved``. Raises what ends an interrupted run.

        One that is not ``needed``, at an epoch's end within a stage, may be left out where it would cost too much.
        """


@dataclass
class Outcome:
    """How far a run came: its rows, the step whose loss was not finite (or None), and the stages that stopped early.

    ``stage`` is the present one, from 0; before it, ``epochs`` were begun and ``steps_before`` of the ``steps`` done.
    """

    history: list[Row] = field(default_factory=list)
    steps: int = 0
    not_finite: tuple[int, int] | None = None
    stopped: list[str] = field(default_factory=list)
    stage: int = field(default=0, compare=False)
    epochs: int = field(default=0, compare=False)
    steps_before: int = field(default=0, compare=False)

    @property
    def done(self) -> int:
        """Steps of the present stage."""
        return self.steps - self.steps_before

    def state(self) -> Mapping[str, Any]:
        """All but the step that was not finite, which nothing follows."""
        return {name: value for name, value in vars(self).items() if name != "not_finite"}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""
        vars(self).update(state)


def fit(task: Task, observer: Observer, saved: Saved | None = None) -> Outcome:
    """Train every stage of ``task``; the model holds the final weights afterwards.

    ``saved`` is the content of a checkpoint, to go on from there: the steps that follow, and all that is measured, are
    those of a run that was never cut off. A step whose loss or gradient is not finite updates nothing and ends the
    run; the outcome names it.
    """
    outcome = Outcome()
    if saved:
        outcome.restore(saved["run"])
    total = sum(stage_steps(stage, len(task.train.labels)) for stage in task.stages)
    for number in range(outcome.stage, len(task.stages)):
        outcome.stage = number
        _fit_stage(task, number, task.stages[number], total, observer, outcome, saved)
        saved = None
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
    total: int,
    observer: Observer,
    outcome: Outcome,
    saved: Saved | None,
) -> None:
    """Train one stage, from its start or from what was ``saved`` in the middle of it."""
    seen = task.stored.get(number) or Stored(task.train, task.validation)
    images, last = len(task.train.labels), stage_steps(stage, len(task.train.labels))
    steps_per_epoch, since = images // stage.batch_size, Since()
    step = prepare(task, number, stage)
    forward = _forward(task, number, step)
    train, schedule = step.compiled(), stage.schedule.start()
    stopping = EarlyStopping(stage.early_stopping or EarlyStoppingSettings())
    parts = _parts(task, step, outcome, since, schedule, stopping)
    if saved:
        restore(parts, saved)
        settle_normalization(task.model)
    ended = stage.early_stopping is not None and stopping.stop
    spans = [] if ended else _spans(task.settings, outcome, last, steps_per_epoch)
    for chunk in _feed(task, stage, seen.train).chunks(spans):
        done = outcome.done
        if _due(task.settings.tensorboard.summaries_every, done):
            observer.summarise(step, chunk)
        rates = schedule.learning_rates(stage.optimizer.learning_rate, done, chunk.span.steps, steps_per_epoch, last)
        result = train(chunk, rates)
        since.add(result)
        outcome.steps += result.steps
        done = outcome.done
        if not result.finite:
            outcome.not_finite = (outcome.steps + 1, chunk.span.epoch + 1)
            break
        observer.progressed(outcome.steps, total, result.loss)
        if done == last or _measure_now(task, done, steps_per_epoch):
            where = {"epoch": round(outcome.epochs + done / steps_per_epoch, 4), "step": outcome.steps}
            with averaged(step.average):
                row = where | {"stage": number + 1, "learning_rate": float(rates[-1])}
                row |= {**since.take(), **_validate(forward, seen.validation)}
                outcome.history.append(row)
                _judge(task, stage, row, (done - 1) // steps_per_epoch, schedule, stopping, observer)
            ended = stage.early_stopping is not None and stopping.stop
        if ended:
            outcome.stopped.append(_stopped_early(task, number, stage, done, last, stopping))
        needed = ended or done == last or _due(task.settings.checkpoint_every_steps, done) or observer.interrupted()
        if needed or done % steps_per_epoch == 0:
            observer.checkpoint(outcome.steps, states(parts), needed)
        if ended:
            break
    if step.average is not None:
        step.average.put()
    _end_stage(task, stage, stopping, observer, outcome)
    outcome.epochs += -(-outcome.done // steps_per_epoch)
    outcome.steps_before = outcome.steps


def _parts(
    task: Task,
    step: Step,
    outcome: Outcome,
    since: Since,
    schedule: RunningSchedule,
    stopping: EarlyStopping,
) -> dict[str, Part]:
    """Everything that the rest of a stage depends on; dropout, order and augmentation depend on the step alone."""
    parts: dict[str, Part] = {"run": outcome, "since": since, "schedule": schedule, "stopping": stopping}
    parts |= {"model": Variables(task.model.variables), "optimizer": Variables(step.optimizer.variables)}
    parts["loss_scale"] = step.scale
    return parts if step.average is None else {**parts, "average": step.average}


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


def _spans(settings: TrainingSettings, outcome: Outcome, last: int, steps_per_epoch: int) -> list[Span]:
    """What is left of a stage, in the same spans as if nothing had been done yet."""
    stops = (settings.validate_every, settings.tensorboard.summaries_every, settings.checkpoint_every_steps)
    every = tuple(stop for stop in stops if isinstance(stop, int))
    cut = spans(outcome.done, last, steps_per_epoch, settings.steps_per_call or 1, every)
    before, epochs = outcome.steps_before, outcome.epochs
    return [Span(before + span.first, epochs + span.epoch, span.step, span.steps) for span in cut]


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

    def state(self) -> Mapping[str, Any]:
        """The sums so far."""
        return {"steps": self._steps, "loss": self._loss, "accuracy": self._accuracy}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""
        self._steps, self._loss, self._accuracy = state["steps"], state["loss"], state["accuracy"]
