"""What a run's record and the user are told of its end."""

from __future__ import annotations

import shutil
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from imgclf.errors import WorkFailed
from imgclf.interruption import Interrupted
from imgclf.recording import Recorder
from imgclf.runs.folder import RunFolder, create_run_folder
from imgclf.train import _recorded
from imgclf.training.settings import TrainingSettings


class Listening:
    """A screen that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def progress(self, *_: Any) -> None: ...

    def log_to(self, path: Path) -> None: ...


@pytest.fixture
def screen() -> Listening:
    return Listening()


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    made = create_run_folder(tmp_path, "run", datetime(2026, 1, 1))
    made.update(status="running")
    return made


def end(run: RunFolder, screen: Listening, error: BaseException | None, *, is_lost: bool = False) -> None:
    """A run that ends by ``error``, or well; with ``is_lost`` its folder is gone by then, and a file in its place."""
    settings = TrainingSettings(tensorboard={"scalars": False, "graph": False})
    recorder = Recorder(run, settings, screen, "digest", None)
    with _recorded(run, recorder, time.monotonic(), None):
        if is_lost:
            shutil.rmtree(run.path)
            run.path.write_text("")
        if error is not None:
            raise error


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "finished"), (Interrupted(2), "interrupted"), (WorkFailed("loss"), "failed"), (ValueError(), "failed")],
)
def test_the_record_says_how_the_run_ended(
    run: RunFolder, screen: Listening, error: BaseException | None, status: str
) -> None:
    if error is None:
        end(run, screen, None)
    else:
        with pytest.raises(type(error)) as raised:
            end(run, screen, error)
        assert raised.value is error
    assert run.record()["status"] == status


def test_an_interruption_stays_one_where_the_log_can_not_grow(run: RunFolder, screen: Listening) -> None:
    run.log.mkdir()
    error = Interrupted(15)
    with pytest.raises(Interrupted):
        end(run, screen, error)
    assert (error.exit_status, error.is_told) == (128 + 15, True)
    assert [text.partition(":")[0] for text in screen.said] == ["interrupted", "go on with"]
    assert run.record()["status"] == "interrupted"


def test_where_the_end_can_not_be_recorded_the_reason_that_ended_the_run_is_told(
    run: RunFolder, screen: Listening
) -> None:
    with pytest.raises(Interrupted):
        end(run, screen, Interrupted(2), is_lost=True)
    assert [text.partition(":")[0] for text in screen.said] == ["interrupted", "go on with"]


def test_a_run_that_ended_well_and_can_not_say_so_has_failed(run: RunFolder, screen: Listening) -> None:
    with pytest.raises(WorkFailed, match=r"run\.json: can't be written"):
        end(run, screen, None, is_lost=True)
