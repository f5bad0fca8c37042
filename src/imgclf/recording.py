"""Who watches a training run: writes its metrics, weights, log and TensorBoard, and tells the screen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imgclf.interruption import Interruption
from imgclf.reporting.tensorboard import TensorboardLog, projector_files
from imgclf.runs.checkpoint_format import Checkpoint, link_or_copy
from imgclf.runs.checkpoints import write_checkpoint
from imgclf.runs.files import replacing, write_whole
from imgclf.runs.folder import RunFolder
from imgclf.runs.weights import load_weights, save_weights
from imgclf.screen import Screen
from imgclf.training.feed import Chunk
from imgclf.training.inspection import inspect
from imgclf.training.observer import Row, Saved
from imgclf.training.settings import TrainingSettings
from imgclf.training.step import Step

if TYPE_CHECKING:
    import keras


BEST = "best.weights.h5"
CHECKPOINT_SHARE = 0.02  # of the time, but for those that are needed: all 30 of lenet_digits took 1.2 of its 9 seconds


class Recorder:
    """The observer of a run that is written to a folder."""

    def __init__(
        self,
        run: RunFolder,
        settings: TrainingSettings,
        screen: Screen,
        experiment: str,
        resumed: Checkpoint | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``experiment`` is the digest that checkpoints bear; what the run holds of later than ``resumed`` goes."""
        self._run, self._settings, self._screen, self._experiment = run, settings.tensorboard, screen, experiment
        self._stages = len(settings.stages)
        self._history: list[Row] = list(resumed.states["run"]["history"]) if resumed else []
        self._tensorboard = (
            TensorboardLog(run.tensorboard, resumed.step if resumed else 0) if self._writes_events() else None
        )
        self._progress = (0, 0)
        self.interruption = Interruption(self.say)
        self.reported = "last"
        self.checkpoints, self.checkpoint_seconds = 0, 0.0
        self._clock, self._began = clock, clock()
        run.write_metrics(self._history)
        _put_back_best(run, resumed)

    def say(self, text: str) -> None:
        """A line for the screen and for log.txt."""
        self._screen.say(text)
        self._run.write_log(text)

    def draw_graph(self, model: keras.Model) -> None:
        """Write the network's graph for TensorBoard; after training, since tracing it takes memory."""
        if self._tensorboard and self._settings.graph:
            self._tensorboard.graph(model)

    def progressed(self, step: int, total: int, loss: float) -> None:
        self._progress = (step, total)
        self._screen.progress("training", step, total, "" if math.isnan(loss) else f"loss {loss:.4f}")

    def measured(self, row: Row, model: keras.Model) -> None:
        self._history.append(row)
        self._run.write_metrics(self._history)
        which = f"stage {row['stage']}, " if self._stages > 1 else ""
        self.say(which + row_text(row))
        if self._tensorboard and self._settings.scalars:
            self._tensorboard.scalars(row)
        if self._tensorboard and self._settings.filters and not self._tensorboard.filters(row["step"], model):
            self.say("TensorBoard: no filters to show, the model has no convolution")
            self._settings = self._settings.model_copy(update={"filters": False})

    def summarise(self, step: Step, chunk: Chunk) -> None:
        if self._tensorboard:
            self._tensorboard.tensors(chunk.span.first, inspect(step, chunk))

    def save_last(self, model: keras.Model) -> None:
        save_weights(model, self._run.last_weights)
        self.reported = "last"

    def save_best(self, model: keras.Model) -> None:
        save_weights(model, self._run.best_weights)

    def load_best(self, model: keras.Model) -> None:
        load_weights(model, self._run.best_weights)
        self.reported = "best"

    def interrupted(self) -> bool:
        return self.interruption.pending is not None

    def checkpoint(self, step: int, saved: Saved, needed: bool) -> None:
        started, best = self._clock(), self._run.best_weights
        if not needed and self.checkpoint_seconds > CHECKPOINT_SHARE * (started - self._began):
            return
        if self._tensorboard:
            self._tensorboard.start_segment(step)
        files = {BEST: best} if best.exists() else {}
        write_checkpoint(self._run.checkpoints, step, self._experiment, saved, files, self._written)
        self.checkpoints += 1
        self.checkpoint_seconds += self._clock() - started
        if not self._run.record().get("checkpoints", {}).get("written"):  # a killed run, too, must say that it had one
            self._run.update(checkpoints={"written": 1, "seconds": round(self.checkpoint_seconds, 3)})
        self.interruption.take_effect()

    def project(self, features: NDArray[np.float32], labels: dict[str, list[str]]) -> None:
        """Write the validation images' features (images, numbers) and classes by target for TensorBoard's projector."""
        for name, text in projector_files(features, labels).items():
            write_whole(self._run.tensorboard / "validation" / name, text)

    def close(self) -> None:
        """End the TensorBoard logs."""
        if self._tensorboard:
            self._tensorboard.close()

    def _written(self, arrays: int, total: int) -> None:
        self._screen.progress("training", *self._progress, f"checkpoint: array {arrays} of {total}")

    def _writes_events(self) -> bool:
        wanted = self._settings
        return any((wanted.scalars, wanted.graph, wanted.summaries_every, wanted.filters, wanted.projector))


def _put_back_best(run: RunFolder, resumed: Checkpoint | None) -> None:
    """The best weights are those of the checkpoint: better ones were found by steps that will be done again."""
    if resumed is None or BEST not in resumed.files:
        run.best_weights.unlink(missing_ok=True)
        return
    with replacing(run.best_weights) as temporary:
        temporary.unlink()
        link_or_copy(resumed.files[BEST], temporary)


def row_text(row: Row) -> str:
    """A row of metrics as one line."""
    where = f"epoch {row['epoch']:g}" if float(row["epoch"]).is_integer() else f"step {row['step']}"
    text = f"{where}: loss {row['loss']:.4f}, accuracy {row['accuracy']:.4f}"
    if math.isnan(row["loss"]):
        text = f"{where}: no step changed the weights: their gradients overflowed"
    if row["validation_loss"] is not None:
        text += f"; validation loss {row['validation_loss']:.4f}, accuracy {row['validation_accuracy']:.4f}"
    return text
