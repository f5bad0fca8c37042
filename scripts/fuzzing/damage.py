"""Ways to damage a file, each the same for the same random numbers."""

from __future__ import annotations

import random
from collections.abc import Callable

_EXTREMES = (b"\x00", b"\x01", b"\x7f", b"\x80", b"\xff")


def flip_bytes(content: bytearray, chance: random.Random) -> None:
    """Some bytes changed, half of the time near the beginning, where the structure is."""
    end = len(content) if chance.random() < 0.5 else min(len(content), 300)
    for _ in range(chance.choice((1, 2, 5, 20, 100))):
        content[chance.randrange(end)] = chance.randrange(256)


def cut(content: bytearray, chance: random.Random) -> None:
    """The end missing, or a part within."""
    start = chance.randrange(len(content))
    end = len(content) if chance.random() < 0.5 else chance.randrange(start, len(content))
    del content[start:end]


def swap(content: bytearray, chance: random.Random) -> None:
    """Two parts in each other's place."""
    length = chance.randrange(1, max(2, len(content) // 4))
    first = chance.randrange(0, len(content) - 2 * length)
    second = chance.randrange(first + length, len(content) - length)
    parts = content[first : first + length], content[second : second + length]
    content[second : second + length], content[first : first + length] = parts


def randomise(content: bytearray, chance: random.Random) -> None:
    """Random bytes behind a beginning of random length."""
    start = chance.randrange(2, min(len(content), 400))
    content[start:] = chance.randbytes(len(content) - start)


def exaggerate(content: bytearray, chance: random.Random) -> None:
    """The least and the greatest numbers of 1, 2, 4 or 8 bytes, where sizes are declared."""
    length = chance.choice((1, 2, 4, 8))
    start = chance.randrange(max(1, min(len(content), 300) - length))
    content[start : start + length] = chance.choice(_EXTREMES) + chance.choice(_EXTREMES) * (length - 1)


WAYS: tuple[Callable[[bytearray, random.Random], None], ...] = (flip_bytes, cut, swap, randomise, exaggerate)
