"""Tables and paragraphs on standard output: whole in a pipe, fitted to the window in a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from imgclf.errors import printable

GAP = "  "
LEAST_WIDTH = 20  # a window that says it is narrower is not believed


def window_width() -> int | None:
    """Columns of the terminal; None in a pipe or a file, where lines are as long as they are."""
    if not sys.stdout.isatty():
        return None
    return max(LEAST_WIDTH, shutil.get_terminal_size().columns)


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print a table; the columns named in ``right`` are aligned to the right."""
    print("\n".join(table_lines(head, rows, right, window_width())))


def table_lines(
    head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str], width: int | None
) -> list[str]:
    """The table as lines: a row a line where it fits in ``width`` columns, else a block a row with a line a cell.

    Control characters in the cells are escaped; nothing is left out.
    """
    whole = [[printable(cell) for cell in row] for row in (head, *rows)]
    widths = [max(_cells(row[column]) for row in whole) for column in range(len(head))]
    if width is None or sum(widths) + len(GAP) * (len(head) - 1) <= width:
        return [_line(row, widths, [name in right for name in head]) for row in whole]
    return [line for row in whole[1:] for line in _block(whole[0], row, width)]


def print_text(text: str, indent: str = "") -> None:
    """Print a paragraph, broken at the edge of the window; control characters are escaped."""
    print("\n".join(_wrapped(printable(text), indent, indent, window_width())))


def print_labelled(entries: Iterable[tuple[str, str]]) -> None:
    """Print pairs of a label and a text, the texts under one another."""
    entries = list(entries)
    column = max(len(label) for label, _ in entries) + len(GAP)
    for label, text in entries:
        print("\n".join(_wrapped(printable(text), label.ljust(column), " " * column, window_width())))


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = []
    for cell, width, to_the_right in zip(row, widths, right, strict=True):
        space = " " * (width - _cells(cell))
        padded.append(space + cell if to_the_right else cell + space)
    return GAP.join(padded).rstrip()


def _block(head: Sequence[str], row: Sequence[str], width: int) -> Iterator[str]:
    """The first cell on a line of its own, each other one under it with the name of its column."""
    yield from _wrapped(row[0], "", GAP, width)
    for name, cell in zip(head[1:], row[1:], strict=True):
        if cell:
            yield from _wrapped(f"{name}: {cell}", GAP, GAP * 2, width)


def _wrapped(text: str, first: str, following: str, width: int | None) -> list[str]:
    if width is None:
        return [first + text]
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=following, break_on_hyphens=False) or [""]


def _cells(text: str) -> int:
    """Columns that a text takes: those of East Asia take two a character."""
    from rich.cells import cell_len

    return cell_len(text)
