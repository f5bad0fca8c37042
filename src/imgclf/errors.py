"""The one exception that the program shows its user: what is wrong, where, what to do."""

from __future__ import annotations


class ImgclfError(Exception):
    """Something that the user gave is wrong: a file, a key, a folder, a device. The program ends with status 2.

    The message says where it happened, what was found and what was expected; ``hint`` says what to do about it.
    """

    exit_status = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def lines(self) -> list[str]:
        """The message and the hint as the command line prints them, one entry a line."""
        return [f"error: {self}"] + ([f"hint: {self.hint}"] if self.hint else [])


class WorkFailed(ImgclfError):
    """The input was in order and the work failed all the same (a loss of NaN, a full disk). Status 1."""

    exit_status = 1
