"""Trainings in processes of their own that may be killed at a chosen place: what `verify-resume` is made of."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from imgclf.children import own_python
from imgclf.errors import ImgclfError, WorkFailed
from imgclf.runs.folder import RunFolder
from imgclf.screen import Silent
from imgclf.train import train
from imgclf.training.devices import DeviceChoice

_WORK = "import json; from imgclf.killed_training import train_here; train_here(**json.loads(sys.argv[1]))"


@dataclass(frozen=True)
class Kill:
    """When a run is killed: from ``step`` on, when the next checkpoint has ``arrays`` written, or after a delay."""

    step: int
    arrays: int | None
    delay_seconds: float

    def text(self) -> str:
        """For the user."""
        return "while a checkpoint was written" if self.arrays else f"{self.delay_seconds:.2f} s after step {self.step}"


@dataclass(frozen=True)
class Training:
    """How both runs are trained, each time in a process of its own."""

    config: str
    overrides: tuple[str, ...]
    device: DeviceChoice | None
    data_dir: str | Path | None
    folder: Path

    def run(self, name: str, kill: Kill | None = None) -> bool:
        """Train the run of this name, or go on with it; whether it came to its end.

        Raises ImgclfError where it found the input wrong, WorkFailed where it failed for another reason.
        """
        found, before = self.find(name), self.log.stat().st_size if self.log.exists() else 0
        work = {"name": name, "run": found and str(found.path), "kill": kill and asdict(kill), **self._plain()}
        with (
            self.log.open("ab") as log,
            subprocess.Popen(own_python(_WORK, json.dumps(work)), stdout=log, stderr=log) as process,
        ):
            try:
                process.wait()
            finally:
                process.kill()
        killed = kill is not None and process.returncode == -signal.SIGKILL
        if process.returncode != 0 and not killed:
            raise self._failure(name, process.returncode, self.log.read_bytes()[before:].decode(errors="replace"))
        return not killed

    def _plain(self) -> dict[str, Any]:
        data_dir = None if self.data_dir is None else str(self.data_dir)
        return {**vars(self), "data_dir": data_dir, "folder": str(self.folder)}

    def _failure(self, name: str, status: int, printed: str) -> ImgclfError:
        """What to raise for a process that ended with a status, by what it printed from its first error on."""
        lines = printed.splitlines()
        first = next((place for place, line in enumerate(lines) if line.startswith("error: ")), len(lines))
        if status == ImgclfError.exit_status and lines[first:]:
            return ImgclfError("\n".join(lines[first:]).removeprefix("error: "))
        last = (lines[first:] or lines[-1:] or [""])[0].removeprefix("error: ")
        return WorkFailed(f"{name}: training ended with status {status}: {last}", hint=f"see {self.log}")

    def find(self, name: str) -> RunFolder | None:
        """The run of this name, where it has begun."""
        return next((RunFolder(path.parent) for path in self.folder.glob(f"{name}-*/run.json")), None)

    @property
    def log(self) -> Path:
        """What the processes print."""
        return self.folder / "output.txt"


class _Killing:
    """The screen of a run that is to be killed: it learns where training is, and acts."""

    def __init__(self, kill: Kill) -> None:
        self._kill, self._arrays, self._waits = kill, 0, False

    def say(self, text: str) -> None:
        """Nothing: the run's log.txt has it."""

    def log_to(self, path: Path) -> None:
        """Nothing."""

    def progress(self, what: str, done: int, total: int, detail: str = "") -> None:
        del total
        if what != "training" or done < self._kill.step:
            return
        if self._kill.arrays is not None:
            self._arrays += detail.startswith("checkpoint")
            if self._arrays == self._kill.arrays:
                _end_at_once()
        elif not self._waits:
            self._waits = True
            threading.Timer(self._kill.delay_seconds, _end_at_once).start()


def _end_at_once() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def train_here(
    name: str,
    run: str | None,
    kill: dict[str, Any] | None,
    config: str,
    overrides: Sequence[str],
    device: DeviceChoice | None,
    data_dir: str | None,
    folder: str,
) -> None:
    """The work of a process of its own: the training of one of the two runs, or of what is left of it."""
    try:
        train(
            None if run else config,
            overrides=() if run else overrides,
            name=None if run else name,
            resume=run,
            device=device,
            data_dir=data_dir,
            runs_dir=folder,
            screen=_Killing(Kill(**kill)) if kill else Silent(),
        )
    except ImgclfError as error:
        print("\n".join(error.lines()), file=sys.stderr)
        sys.exit(error.exit_status)
