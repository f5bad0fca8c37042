"""The one exception that the program shows its user: what is wrong, where, what to do."""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\ud800-\udfff]")
MOST_CHARACTERS = 2000  # of a line: a text from a file may be as long as the file

_FROM_BYTE, _TO_BYTE = "\udc80", "\udcff"


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
        message = [_cut(printable(line)) for line in f"error: {self}".split("\n")]
        return message + ([_cut(f"hint: {printable(self.hint)}")] if self.hint else [])


class WorkFailed(ImgclfError):
    """The input was in order and the work failed all the same (a loss of NaN, a full disk). Status 1."""

    exit_status = 1


def printable(text: str) -> str:
    """The text with every character that is not printable replaced by its escape: names come from anyone's files."""
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def encodable(text: str) -> str:
    """The text with what UTF-8 can't hold escaped: file names may have bytes that are no UTF-8, here ``\\xff``."""
    return _SURROGATE.sub(lambda found: _escape(found.group()), text)


def _cut(line: str) -> str:
    return line if len(line) <= MOST_CHARACTERS else f"{line[: MOST_CHARACTERS - 4]} ..."


def _escape(character: str) -> str:
    if _FROM_BYTE <= character <= _TO_BYTE:  # how Python names the byte of a file name
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
