"""What became of one file that a reader was given."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BAD = ("crash", "hang", "traceback", "output")


@dataclass(frozen=True)
class Outcome:
    """Read, refused, or one of BAD; with the reader's reason or what went wrong."""

    kind: str
    detail: str = ""


def outcome_of(read: Callable[[Path], None], path: Path) -> Outcome:
    """What the reader makes of the file: no error but ImgclfError, which names the file in printable lines."""
    from imgclf.errors import ImgclfError

    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            read(path)
    except ImgclfError as error:
        lines = error.lines()
        if str(path) not in lines[0] or not all(line.isprintable() for line in lines):
            return Outcome("traceback", f"words of a refusal: {lines}")
        return Outcome("refused", str(error).replace(str(path), "FILE"))
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-4:]))
        return Outcome("traceback", f"{type(error).__name__} at {places}: {error}")
    return Outcome("output", f"a warning: {warned[0].message}") if warned else Outcome("read")
