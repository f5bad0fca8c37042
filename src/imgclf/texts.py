"""Sizes, shapes, lists and tables as everything that the program says writes them."""

from __future__ import annotations

import csv
import io
import os
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from imgclf.errors import printable

# A spreadsheet runs a cell that starts like this. In many countries, semicolons part the cells.
_FORMULA = re.compile(r"(^|;) *(?=[=+@\-＝＋－＠])")


def size_text(size_bytes: float) -> str:
    """A number of bytes with a unit that keeps it short: 47.0 MB; units are powers of 1000, as disks have them."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:,.0f} {unit}" if unit == "bytes" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:,.1f} TB"


def from_home(path: str | Path) -> Path:
    """The path with ``~`` as the user's home; a name after it that is no user's is left as it is: a folder's, maybe."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 (pathlib's own raises RuntimeError)


def command_text(*arguments: str | Path) -> str:
    """A command of this program as a shell takes it: ``imgclf`` and its arguments, quoted where they must be."""
    return shlex.join(["imgclf", *map(str, arguments)])


def shape_text(shape: Sequence[int | None]) -> str:
    """The sides of an image or array: 28x28x1; an unknown one is "?"."""
    return "x".join("?" if side is None else str(side) for side in shape)


def few(names: Sequence[str], most: int = 6, separator: str = ", ") -> str:
    """The first of some names, and how many more there are: "a, b and 3 more"."""
    more = len(names) - most
    return separator.join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A CSV table, safe to open in a spreadsheet and to show in a terminal (see csv_cell)."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow([csv_cell(name) for name in columns])
    writer.writerows([csv_cell(one) for one in row] for row in rows)
    return table.getvalue()


def csv_cell(value: Any) -> Any:
    """The value; a text with its unprintable characters escaped, and an apostrophe before what may be a formula.

    The apostrophe is the rule of OWASP ("CSV Injection"); it is no part of the text, and no command reads it back.
    """
    return _FORMULA.sub(r"\g<0>'", printable(value)) if isinstance(value, str) else value
