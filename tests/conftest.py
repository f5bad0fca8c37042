"""The command line as its user has it, without a process for each call."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from imgclf.cli import main


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
