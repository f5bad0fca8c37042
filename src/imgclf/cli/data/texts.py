"""Shapes and sizes as the commands on data print them."""

from __future__ import annotations

from collections.abc import Sequence


def shape_text(shape: Sequence[int]) -> str:
    """Height, width and channels: 28x28x1."""
    return "x".join(map(str, shape))


def bytes_text(count: float) -> str:
    """A number of bytes with a unit that keeps it short: 47.0 MB; units are powers of 1000, as disks have them."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
