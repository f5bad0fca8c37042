"""How far a run has come: its rows and steps, and the sums of the training loss since the last row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imgclf.training.observer import Row
from imgclf.training.step import ChunkResult


@dataclass
class Outcome:
    """How far a run came: its rows, the step whose loss was not finite (or None), and why stages stopped early.

    ``stage`` is the present one, from 0; before it, ``epochs`` were begun and ``steps_before`` of the ``steps`` done.
    ``stopped_stage`` is the last stage that stopped early; None where none did.
    """

    history: list[Row] = field(default_factory=list)
    steps: int = 0
    not_finite: tuple[int, int] | None = None
    stopped: list[str] = field(default_factory=list)
    stopped_stage: int | None = None
    stage: int = field(default=0, compare=False)
    epochs: int = field(default=0, compare=False)
    steps_before: int = field(default=0, compare=False)

    @property
    def done(self) -> int:
        """Steps of the present stage."""
        return self.steps - self.steps_before

    @property
    def stopped_early(self) -> bool:
        """Whether the present stage stopped early; at the end of the run that is its last."""
        return self.stopped_stage == self.stage

    def stop(self, reason: str) -> None:
        """The present stage stops early; ``reason`` is for the user."""
        self.stopped.append(reason)
        self.stopped_stage = self.stage

    def state(self) -> Mapping[str, Any]:
        """All but the step that was not finite, which nothing follows."""
        return {name: value for name, value in vars(self).items() if name != "not_finite"}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""
        vars(self).update(state)


class Since:
    """Training loss and accuracy since the last row, over all steps that changed the weights alike."""

    def __init__(self) -> None:
        self._steps, self._loss, self._accuracy = 0, 0.0, 0.0

    def add(self, result: ChunkResult) -> None:
        """Take in what a chunk did; one without an update has no loss."""
        if not result.updates:
            return
        self._steps += result.updates
        self._loss += result.loss * result.updates
        self._accuracy += result.accuracy * result.updates

    def take(self) -> Row:
        """Mean loss and accuracy, NaN where no step changed the weights, and begin anew."""
        steps = self._steps or math.nan
        means = {"loss": self._loss / steps, "accuracy": self._accuracy / steps}
        self._steps, self._loss, self._accuracy = 0, 0.0, 0.0
        return means

    def state(self) -> Mapping[str, Any]:
        """The sums so far."""
        return {"steps": self._steps, "loss": self._loss, "accuracy": self._accuracy}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""
        self._steps, self._loss, self._accuracy = state["steps"], state["loss"], state["accuracy"]
