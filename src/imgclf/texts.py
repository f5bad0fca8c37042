"""Sizes, shapes and lists as everything that the program says writes them."""

from __future__ import annotations

from collections.abc import Sequence


def size_text(size_bytes: float) -> str:
    """A number of bytes with a unit that keeps it short: 47.0 MB; units are powers of 1000, as disks have them."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:,.0f} {unit}" if unit == "bytes" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:,.1f} TB"


def shape_text(shape: Sequence[int | None]) -> str:
    """The sides of an image or array: 28x28x1; an unknown one is "?"."""
    return "x".join("?" if side is None else str(side) for side in shape)


def few(names: Sequence[str], most: int = 6, separator: str = ", ") -> str:
    """The first of some names, and how many more there are: "a, b and 3 more"."""
    more = len(names) - most
    return separator.join(names[:most]) + (f" and {more:,} more" if more > 0 else "")
