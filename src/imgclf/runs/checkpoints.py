"""The life of checkpoints: they appear whole, the newest two are kept, damaged ones are set aside."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from imgclf.runs.checkpoint_format import Checkpoint, Damaged, States, Tell, fill, not_read, read_checkpoint, step_of
from imgclf.runs.files import concerns, flush, make_folder, not_written

KEPT = 2
DAMAGED = "step-*-damaged*"  # the names of those that were set aside
REPLACED = "-replaced"  # the end of a hidden name

_NAME = re.compile(r"step-[0-9]{8,}")


def write_checkpoint(
    folder: Path, step: int, experiment: str, states: States, files: Mapping[str, Path], tell: Tell
) -> Path:
    """Write ``folder``/step-NNNNNNNN, whole or not at all, and keep the newest two; returns its path.

    ``states`` holds variables or arrays, taken into memory one at a time, and numbers, texts and lists of them.
    ``files`` are linked (copied where the file system has no links): they must be replaced when they change, never
    written into. Raises WorkFailed where the system refuses to write it, OSError where it refuses to read ``files``.
    """
    path = folder / f"step-{step:08d}"
    temporary = folder / f".{path.name}"
    try:
        make_folder(folder)
        _tidy(folder)
        temporary.mkdir()
        fill(temporary, step, experiment, states, files, tell)
        _publish(temporary, path)
        for old in list_checkpoints(folder)[:-KEPT]:
            _remove(old)
    except OSError as error:
        if not concerns(error, folder):
            raise
        raise not_written(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return path


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest step first; without those that were set aside as damaged.

    Raises WorkFailed where the system refuses to list them.
    """
    return sorted((path for path in _names_in(folder) if _NAME.fullmatch(path.name)), key=step_of)


def newest_sound(folder: Path, say: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint whose every byte is as it was written; None where there is none.

    Damaged ones are said, and renamed to ``...-damaged``. What a killed process left unfinished is removed: nobody
    else may be writing into the folder. Raises ImgclfError and WorkFailed as :func:`read_checkpoint` does.
    """
    _tidy(folder)
    for path in reversed(list_checkpoints(folder)):
        try:
            return read_checkpoint(path)
        except Damaged as error:
            aside = _set_aside(path)
            say(f"{path} is damaged and not used: {error}; it is set aside as {aside.name}")
    return None


def _publish(temporary: Path, path: Path) -> None:
    """Give a checkpoint that is whole its name; one that has the name already is kept until that is done."""
    replaced = path.with_name(f".{path.name}{REPLACED}")
    if path.exists():
        path.rename(replaced)
    try:
        temporary.rename(path)
    except OSError:
        if replaced.exists():
            replaced.rename(path)
        raise
    flush(path.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def _tidy(folder: Path) -> None:
    """Remove what was left unfinished; a checkpoint that was to be replaced, and was not, gets its name back."""
    for hidden in (path for path in _names_in(folder) if path.name.startswith(".step-")):
        path = hidden.with_name(hidden.name[1:].removesuffix(REPLACED))
        if hidden.name.endswith(REPLACED) and not path.exists():
            _rename(hidden, path)
        else:
            shutil.rmtree(hidden, ignore_errors=True)


def _rename(path: Path, name: Path) -> Path:
    """Give a checkpoint another name. Raises WorkFailed where the system refuses."""
    try:
        return path.rename(name)
    except OSError as error:
        raise not_written(name, error) from error


def _names_in(folder: Path) -> list[Path]:
    """What lies in a folder; nothing where there is none. Raises WorkFailed where the system refuses to list it."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise not_read(folder, error) from error


def _remove(path: Path) -> None:
    """Remove a checkpoint so that no half of it is ever taken for one."""
    leaving = path.with_name(f".{path.name}-leaving")
    path.rename(leaving)
    shutil.rmtree(leaving, ignore_errors=True)


def _set_aside(path: Path) -> Path:
    names = [f"{path.name}-damaged", *(f"{path.name}-damaged-{number}" for number in range(2, 1000))]
    aside = next(free for name in names if not (free := path.with_name(name)).exists())
    return _rename(path, aside)
