"""Who watches a run: what the loop tells, and asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from imgclf.training.feed import Chunk
from imgclf.training.step import Step

if TYPE_CHECKING:
    import keras

Row = dict[str, Any]
Saved = Mapping[str, Mapping[str, Any]]  # what a checkpoint holds: by part, by name


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
