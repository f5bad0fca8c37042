"""Runs `imgclf` and notes what Python opens for writing, renames or links. Arguments: a file for it, imgclf's own."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

NOTED: list[tuple[str, str, str]] = []
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
NAMELESS = getattr(os, "O_TMPFILE", 0)  # Linux: a file that no folder ever lists, opened by the folder's name


def note(event: str, arguments: tuple[Any, ...]) -> None:
    flags = (arguments[2] or 0) if event == "open" else 0
    if NAMELESS and flags & NAMELESS == NAMELESS:
        return
    if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike) and flags & WRITING:
        NOTED.append(("open", os.path.abspath(os.fsdecode(arguments[0])), ""))  # noqa: PTH100
    elif event in ("os.rename", "os.link"):
        NOTED.append((event, *(os.path.abspath(os.fsdecode(path)) for path in arguments[:2])))  # noqa: PTH100


def note_hdf5() -> None:
    """HDF5 opens files past Python: those that it is given by name are noted, too."""
    import h5py

    real = h5py.File.__init__

    def opened(self: Any, name: Any, mode: str = "r", *arguments: Any, **named: Any) -> None:
        if mode != "r" and isinstance(name, str | bytes | os.PathLike):
            NOTED.append(("open", os.path.abspath(os.fsdecode(name)), ""))  # noqa: PTH100
        real(self, name, mode, *arguments, **named)

    h5py.File.__init__ = opened


if __name__ == "__main__":
    sys.addaudithook(note)
    note_hdf5()
    from imgclf.cli import main

    result = sys.argv.pop(1)
    try:
        main()
    finally:
        noted = list(NOTED)
        with open(result, "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(noted, file)
