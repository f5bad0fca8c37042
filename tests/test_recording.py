"""What the observer of a run decides by itself."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from pathlib import Path

from imgclf.recording import Recorder
from imgclf.runs.folder import RunFolder, create_run_folder
from imgclf.screen import Silent
from imgclf.training.settings import TrainingSettings


def make_recorder(folder: Path, seconds: float) -> Recorder:
    """A recorder whose clock goes on by ``seconds`` whenever it is looked at, so that a checkpoint takes as long."""
    run = create_run_folder(folder, "run", datetime(2026, 1, 1))
    run.update(status="running")
    settings = TrainingSettings(tensorboard={"scalars": False, "graph": False})
    moments = count(step=seconds)
    return Recorder(run, settings, Silent(), "digest", None, lambda: next(moments))


def test_checkpoints_of_short_epochs_take_two_hundredths_of_the_time(tmp_path: Path) -> None:
    recorder, written = make_recorder(tmp_path, 0.5), []
    for epoch in range(1, 301):
        before = recorder.checkpoints
        recorder.checkpoint(epoch, {}, needed=False)
        written += [epoch] * (recorder.checkpoints - before)
    # In half seconds: epoch n begins n + k after the start where k checkpoints were written, and writes if k are at
    # most a fiftieth of that.
    assert written == [1, 49, 98, 147, 196, 245, 294]


def test_that_there_was_a_checkpoint_is_known_from_the_first_on_and_of_a_run_that_goes_on_too(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path, 0.0)
    run = RunFolder(next(tmp_path.iterdir()))
    run.update(checkpoints={"written": 0, "seconds": 0.0})
    recorder.checkpoint(1, {}, needed=True)
    assert run.record()["checkpoints"]["written"] == 1
    run.update(checkpoints={"written": 5, "seconds": 2.0})
    recorder.checkpoint(2, {}, needed=True)
    assert run.record()["checkpoints"] == {"written": 5, "seconds": 2.0}


def test_a_checkpoint_that_is_needed_is_written_whatever_it_takes(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path, 0.5)
    for step in range(1, 11):
        recorder.checkpoint(step, {}, needed=True)
    assert recorder.checkpoints == 10
    assert recorder.checkpoint_seconds == 5.0
