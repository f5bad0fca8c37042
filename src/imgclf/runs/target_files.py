"""What stands in the names of the files that are written for each target."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count

LONGEST = 40  # characters, of at most four bytes each: file systems take 255 bytes in a name


def target_parts(names: Sequence[str]) -> dict[str, str]:
    """For each target what follows the first word of a file's name: ``-colour``; nothing where it is the only one.

    Letters and digits of any script are kept, and the rest becomes ``_``: another hyphen is no part of a target's name.
    Where two would be one, also to a file system that does not tell large letters from small ones, a number is added.
    """
    if len(names) == 1:
        return {names[0]: ""}
    taken: set[str] = set()
    parts = {}
    for name in names:
        slug = next(one for one in _candidates(name) if one.casefold() not in taken)
        taken.add(slug.casefold())
        parts[name] = f"-{slug}"
    return parts


def _candidates(name: str) -> Iterator[str]:
    slug = re.sub(r"\W+", "_", name)[:LONGEST]
    yield slug
    yield from (f"{slug}_{number}" for number in count(2))
