"""The command line as its user has it, without a process for each call."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from imgclf.cli import main

# The same examples in every run, and no files of the library beside the tests. To look for more than they find:
# pytest --hypothesis-profile=search tests/experiment/test_properties.py
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "imgclf-hypothesis")
hypothesis.settings.register_profile("same", derandomize=True, database=None, deadline=None, max_examples=100)
hypothesis.settings.register_profile("search", database=None, deadline=None, max_examples=3000)
hypothesis.settings.load_profile("same")


@dataclass(frozen=True)
class Answer:
    """What a command came back with: its exit status, standard output and standard error."""

    status: int
    out: str
    err: str


Imgclf = Callable[..., Answer]


@pytest.fixture
def imgclf(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Imgclf:
    """``imgclf("config", "list")`` runs that command, with its output in a pipe."""

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["imgclf", *map(str, arguments)])
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        status = 0
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        out, err = capfd.readouterr()
        return Answer(status, out, err)

    return run
