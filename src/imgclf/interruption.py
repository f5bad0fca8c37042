"""Ctrl-C and SIGTERM while a run trains: the first waits for a checkpoint, a second ends the run at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

CAUGHT = (signal.SIGINT, signal.SIGTERM)
PROMISE = "interrupted: writing a checkpoint after the steps that are being computed; again stops at once"


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM; no KeyboardInterrupt, which the command-line library would give a status of its own.

    ``is_told``: whoever caught it on the way has said to the user what became of the work.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_status = 128 + number
        self.is_told = False


class Interruption:
    """Keeps the first signal until the run is ready to end."""

    def __init__(self, say: Callable[[str], None]) -> None:
        # By a thread of its own: a signal may come in the middle of another line, whose lock the first thread holds.
        self._saying = threading.Thread(target=say, args=(PROMISE,), daemon=True)
        self._before: dict[int, Any] = {}
        self.pending: int | None = None

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Signals are kept inside the block. Other threads than the first get none, and nothing is changed there."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # Where nothing in Python answers a signal, there is nobody to hand it on to.
        answered = [number for number in CAUGHT if callable(signal.getsignal(number))]
        self._before = {number: signal.signal(number, self._keep) for number in answered}
        try:
            yield
            self.take_effect()
        finally:
            self._give_back()

    def take_effect(self) -> None:
        """Do now what the kept signal would have done; nothing where there is none."""
        if self.pending is None:
            return
        number, self.pending = self.pending, None
        self._saying.join()
        self._give_back()
        signal.raise_signal(number)

    def _keep(self, number: int, _frame: FrameType | None) -> None:
        if self.pending is not None:
            self._give_back()
            signal.raise_signal(number)
            return
        self.pending = number
        self._saying.start()

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
