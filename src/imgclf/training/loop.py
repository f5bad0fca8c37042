"""The life of a run: stages, epochs, chunks, validation, stopping."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from imgclf.augmentation.base import Draws
from imgclf.evaluation.metrics import accuracy, cross_entropy
from imgclf.inference import Forward
from imgclf.runs.hdf5 import settle_normalization
from imgclf.training.average import Average, averaged
from imgclf.training.checkpoint import Part, Variables, restore, states
from imgclf.training.dropout import Seeds
from imgclf.training.feed import Chunk, Feed, Span, spans
from imgclf.training.loss import Loss
from imgclf.training.observer import Observer, Row, Saved
from imgclf.training.order import Order
from imgclf.training.precision import LossScale
from imgclf.training.progress import Outcome, Since
from imgclf.training.settings import StageSettings
from imgclf.training.step import Step
from imgclf.training.stopping import EarlyStopping, EarlyStoppingSettings
from imgclf.training.task import AS_STORED, Images, Task
from imgclf.training.trainable import set_trainable

MEASURED = ("loss", "accuracy", "validation_loss", "validation_accuracy")  # what stopping and schedules can watch


def fit(task: Task, observer: Observer, saved: Saved | None = None) -> Outcome:
    """Train every stage of ``task``; the model holds the final weights afterwards.

    ``saved`` is the content of a checkpoint, to go on from there: the steps that follow, and all that is measured, are
    those of a run that was never cut off. A step whose loss or gradient is not finite updates nothing and ends the
    run; the outcome names it.
    """
    outcome = Outcome()
    if saved:
        outcome.restore(saved["run"])
    for number in range(outcome.stage, len(task.stages)):
        outcome.stage = number
        stage = _Stage(task, number, observer, outcome)
        if saved:
            stage.restore(saved)
        stage.train()
        saved = None
        if outcome.not_finite:
            break
    return outcome


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
        stage.augmentations(task.augmentations),
        Seeds(model, task.seed),
        scale,
        average,
        task.strategy,
    )


class _Stage:
    """A stage that runs: from its start, or from what was saved in the middle of it."""

    def __init__(self, task: Task, number: int, observer: Observer, outcome: Outcome) -> None:
        self._task, self._number, self._observer, self._outcome = task, number, observer, outcome
        self._settings = task.stages[number]
        self._last, self._epoch_steps = task.steps(self._settings), task.steps_per_epoch(self._settings)
        self._total = sum(map(task.steps, task.stages))
        self._step = prepare(task, number, self._settings)
        self._forward = _forward(task, number, self._step)
        self._since, self._schedule = Since(), self._settings.schedule.start()
        self._stopping = EarlyStopping(self._settings.early_stopping or EarlyStoppingSettings())

    def restore(self, saved: Saved) -> None:
        """Go on from what a checkpoint holds."""
        restore(self._parts(), saved)
        settle_normalization(self._task.model)

    def train(self) -> None:
        """Train to the stage's end."""
        compiled = self._step.compiled()
        for chunk in self._chunks():
            if _due(self._task.settings.tensorboard.summaries_every, self._outcome.done):
                self._observer.summarise(self._step, chunk)
            rates = self._schedule.learning_rates(
                self._settings.optimizer.learning_rate,
                self._outcome.done,
                chunk.span.steps,
                self._epoch_steps,
                self._last,
            )
            result = compiled(chunk, rates)
            self._since.add(result)
            self._outcome.steps += result.steps
            if not result.finite:
                self._outcome.not_finite = (self._outcome.steps + 1, chunk.span.epoch + 1)
                break
            self._observer.progressed(self._outcome.steps, self._total, result.loss)
            self._measure_and_keep(float(rates[-1]))
            if self._is_stopped():
                break
        self._step.release()
        self._end()

    def _parts(self) -> dict[str, Part]:
        """What the rest of the stage depends on; dropout, order and augmentation depend on the step alone."""
        step = self._step
        parts: dict[str, Part] = {"run": self._outcome, "since": self._since, "schedule": self._schedule}
        parts |= {"stopping": self._stopping, "loss_scale": step.scale}
        parts |= {
            "model": Variables(self._task.model.variables),
            "optimizer": Variables(step.optimizer.variables, of_optimizer=True),
        }
        return parts if step.average is None else {**parts, "average": step.average}

    def _chunks(self) -> Iterator[Chunk]:
        """What is left of the stage; nothing where it had stopped early when it was saved."""
        task, stage, images = self._task, self._settings, self._task.seen(self._number).train
        order = Order(len(images.labels), stage.batch_size, task.seed)
        draws = Draws(stage.augmentations(task.augmentations), len(images.labels), task.seed)
        left = iter(()) if self._is_stopped() else self._spans()
        return Feed(images.pixels, images.labels, order, draws, stage.batch_size).chunks(left)

    def _spans(self) -> Iterator[Span]:
        """What is left of the stage, in the same spans as if nothing had been done yet."""
        settings, outcome = self._task.settings, self._outcome
        stops = (settings.validate_every, settings.tensorboard.summaries_every, settings.checkpoint_every_steps)
        every = tuple(stop for stop in stops if isinstance(stop, int))
        cut = spans(outcome.done, self._last, self._epoch_steps, settings.steps_per_call or 1, every)
        before, epochs = outcome.steps_before, outcome.epochs
        return (Span(before + span.first, epochs + span.epoch, span.step, span.steps) for span in cut)

    def _measure_and_keep(self, learning_rate: float) -> None:
        """After a chunk: a row and a checkpoint where one is due."""
        done, settings = self._outcome.done, self._task.settings
        every = self._epoch_steps if settings.validate_every == "epoch" else settings.validate_every
        if done == self._last or done % every == 0:
            self._measure(learning_rate)
        if self._is_stopped():
            self._outcome.stop(self._stopped_early())
        needed = self._is_stopped() or done == self._last or _due(settings.checkpoint_every_steps, done)
        needed = needed or self._observer.interrupted()
        if needed or done % self._epoch_steps == 0:
            self._observer.checkpoint(self._outcome.steps, states(self._parts()), needed)

    def _measure(self, learning_rate: float) -> None:
        """Write a row, and let stopping and schedule see it; the best weights so far are kept."""
        outcome, epoch = self._outcome, self._outcome.epochs + self._outcome.done / self._epoch_steps
        with averaged(self._step.average):
            row: Row = {"epoch": round(epoch, 4), "step": outcome.steps, "stage": self._number + 1}
            row |= {"learning_rate": learning_rate, **self._since.take()}
            row |= _validate(self._forward, self._task.seen(self._number).validation)
            outcome.history.append(row)
            self._judge({name: row[name] for name in MEASURED if row[name] is not None})
            self._observer.measured(row, self._task.model)

    def _judge(self, metrics: dict[str, float]) -> None:
        if self._task.validation is not None or self._settings.early_stopping:
            # Patience counts rows; only the epochs that are to be ignored at the start count epochs.
            epoch = (self._outcome.done - 1) // self._epoch_steps
            self._stopping.update(metrics, epoch if self._stopping.settings.start_from_epoch else None)
            if self._stopping.improved:
                self._observer.save_best(self._task.model)
        self._schedule.observe(metrics)

    def _is_stopped(self) -> bool:
        return self._settings.early_stopping is not None and self._stopping.stop

    def _stopped_early(self) -> str:
        """For the user: where the stage ended, why, and whose weights are kept."""
        stage, done = self._settings, self._outcome.done
        ended = (
            f"{done} of {self._last} steps" if stage.steps else f"epoch {done / self._epoch_steps:g} of {stage.epochs}"
        )
        which = f"stage {self._number + 1} " if len(self._task.stages) > 1 else ""
        restores = self._stopping.settings.restore_best_weights and self._stopping.best is not None
        kept = "; the best weights, from before that, are restored" if restores else ""
        return f"{which}stopped early after {ended}: {self._stopping.reason()}{kept}"

    def _end(self) -> None:
        """Keep the last weights, and go back to the best where the stage asks for it and came to a good end."""
        outcome, stopping = self._outcome, self._settings.early_stopping
        if self._step.average is not None:
            self._step.average.put()
        self._observer.save_last(self._task.model)
        wanted = stopping is not None and stopping.restore_best_weights
        if wanted and self._stopping.best is not None and outcome.not_finite is None:
            self._observer.load_best(self._task.model)
        outcome.epochs += -(-outcome.done // self._epoch_steps)
        outcome.steps_before = outcome.steps


def _forward(task: Task, number: int, step: Step) -> Forward:
    """What validates a stage: the whole model, or the head on stored features."""
    if number in task.stored:
        return Forward(task.head, step.preprocessing.apply)
    return Forward(task.model, step.preprocessing.apply, task.test_time_augmentation)


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
