"""What a job tells its user while it works; who prints it, and how, is the caller's affair."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Screen(Protocol):
    """Lines and one progress bar."""

    def say(self, text: str) -> None:
        """A line that stays."""

    def progress(self, what: str, done: int, total: int, detail: str = "") -> None:
        """How far the work is; ``done`` equal to ``total`` ends the bar."""

    def log_to(self, path: Path) -> None:
        """The run's log.txt is this file."""


class Silent:
    """Prints nothing: what was said stands in the run's log.txt."""

    def say(self, text: str) -> None:
        """Nothing."""

    def progress(self, what: str, done: int, total: int, detail: str = "") -> None:
        """Nothing."""

    def log_to(self, path: Path) -> None:
        """Nothing."""
