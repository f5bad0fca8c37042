"""The terminal while a job works: lines and a progress bar on standard error."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from math import ceil
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from imgclf.errors import ImgclfError, printable

BAR_AFTER_SECONDS = 2.0


class Terminal:
    """The screen of a job. In a pipe there is no bar and no control character."""

    def __init__(self) -> None:
        self._console = _console(sys.stderr)
        self._native: _NativeLog | None = None
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._what, self._began, self._first = "", 0.0, 0

    def say(self, text: str) -> None:
        self._console.print(printable(text), markup=False, emoji=False, highlight=False, soft_wrap=True)

    def progress(self, what: str, done: int, total: int, detail: str = "") -> None:
        if what != self._what:
            self._end_bar()
            self._what, self._began, self._first = what, time.monotonic(), done
        is_due = done != total and time.monotonic() - self._began > BAR_AFTER_SECONDS
        if is_due and self._bar is None and self._console.is_terminal:
            self._start_bar()
        if self._bar is not None and self._task is not None:
            left = time_left(time.monotonic() - self._began, done - self._first, total - done)
            self._bar.update(
                self._task,
                description=printable(what),
                completed=done,
                total=total or None,
                detail=printable(detail),
                left=left,
            )
        if done == total:
            self._end_bar()
            self._what = ""  # the next of this name has a time of its own

    def log_to(self, path: Path) -> None:
        """From here on, what libraries print past Python goes to this file, with what they printed before."""
        from imgclf.runs.files import not_written

        try:
            if self._native:
                self._native.move_to(path)
        except OSError as error:
            raise not_written(path, error) from error

    @contextmanager
    def working(self, debug: bool, *, tensorflow: bool = True) -> Iterator[Terminal]:
        """The time of a job: native output is kept off the screen (unless ``debug``), and the bar is taken down.

        TensorFlow is imported, for some seconds, unless the job needs none.
        """
        from imgclf.startup import import_lean

        self._native = None if debug else _NativeLog()
        if self._native:
            self._console = _console(self._native.stderr)
        try:
            if tensorflow:
                import_lean()
            yield self
        except Exception as error:
            if self._native and not isinstance(error, ImgclfError):
                self._native.show()  # what TensorFlow said before it failed may be the only explanation
            raise
        finally:
            self._end_bar()
            if self._native:
                self._native.close()

    def _start_bar(self) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
        )
        more = (TextColumn("{task.fields[detail]}", markup=False), TextColumn("{task.fields[left]}", style="cyan"))
        self._bar = Progress(*columns, *more, console=self._console, transient=True)
        self._task = self._bar.add_task(printable(self._what), total=None, detail="", left="")
        self._bar.start()

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._task = None


def time_left(seconds: float, done: int, remaining: int) -> str:
    """How long ``remaining`` parts take at the rate of ``done`` parts in ``seconds``: hours:minutes:seconds.

    Empty where nothing is known: nothing was done yet, or what remains is not told (less than 0). The library's own
    column needs two reports since the bar appeared, minutes where a report comes with each chunk of a large network.
    """
    if done <= 0 or remaining < 0:
        return ""
    return str(timedelta(seconds=ceil(seconds / done * remaining)))


class _NativeLog:
    """File descriptor 2 turned to a file: TensorFlow and CUDA write there whatever Python's settings say."""

    def __init__(self) -> None:
        sys.stderr.flush()
        self._saved = os.dup(2)
        self._python_stderr = sys.stderr
        self.stderr: IO[str] = os.fdopen(os.dup(self._saved), "w", buffering=1, encoding="utf-8", errors="replace")
        sys.stderr = self.stderr
        self._file: IO[Any] = tempfile.TemporaryFile("w+b")  # noqa: SIM115  (closed by close)
        os.dup2(self._file.fileno(), 2)

    def move_to(self, path: Path) -> None:
        with path.open("ab") as log:
            self._file.seek(0)
            shutil.copyfileobj(self._file, log)
            log.flush()
            os.dup2(log.fileno(), 2)
        self._file.close()

    def show(self) -> None:
        """Print what was kept off the screen, unless it stands in a run's log already."""
        if not self._file.closed:
            self._file.seek(0)
            self.stderr.write(self._file.read().decode("utf-8", "replace"))

    def close(self) -> None:
        os.dup2(self._saved, 2)
        os.close(self._saved)
        sys.stderr = self._python_stderr
        self.stderr.close()
        self._file.close()


def _console(file: IO[str]) -> Console:
    # Environment variables that force colours don't count: in a pipe there are no control characters.
    return Console(file=file, force_terminal=file.isatty(), highlight=False, soft_wrap=not file.isatty())
