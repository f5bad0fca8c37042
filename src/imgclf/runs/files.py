"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

from imgclf.errors import WorkFailed, encodable

PIECE_BYTES = 2**20

_OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_TEMPORARY = re.compile(r"\.imgclf-([0-9]+)-[a-z0-9_]{8}\..+")  # the process that writes it; a name of tempfile's


def write_whole(path: Path, content: bytes | str) -> None:
    """Write ``content`` to ``path``: readers see the old file or the new one, never a part.

    Of a text, what UTF-8 can't hold is escaped.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(encodable(content).encode() if isinstance(content, str) else content)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON; numbers that JSON lacks (NaN, infinity) are a ValueError."""
    write_whole(path, json_text(value) + "\n")


def json_text(value: Any) -> str:
    """``value`` as JSON that UTF-8 can hold; numbers that JSON lacks (NaN, infinity) are a ValueError.

    What is not printable is escaped as JSON does it, so that a terminal may show the text and a reader gets it back.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    if text != encodable(text):
        text = json.dumps(_encodable(value), indent=2, ensure_ascii=False)
    return "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, with its ending, that becomes ``path`` when the block ends well.

    The file and then its folder are flushed to the disk; after an error nothing is left. Raises WorkFailed where the
    system refuses to write it; errors of other files that the block reads pass.
    """
    with _beside(path, _new_file, _remove_file) as temporary:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        flush(temporary)
        temporary.replace(path)
        flush(path.parent)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path``, which must not exist, that becomes ``path`` when the block ends well.

    Its files and then the folders are flushed to the disk; after an error nothing is left. Raises WorkFailed where the
    system refuses to write it; errors of other files that the block reads pass.
    """
    with _beside(path, _new_folder, _remove_folder) as temporary:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        for written in (*temporary.rglob("*"), temporary):
            flush(written)
        temporary.rename(path)
        flush(path.parent)


def remove_unfinished(folder: Path) -> None:
    """Remove, at any depth, what this process and those that are gone left of the above.

    What another process is writing stays. A process of another machine counts as gone.
    """
    for path in folder.rglob(".imgclf-*"):
        found = _TEMPORARY.fullmatch(path.name)
        if found is None or _is_another(int(found[1])):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):  # it does no harm where it stays
                path.unlink(missing_ok=True)


def concerns(error: OSError, *places: Path) -> bool:
    """Whether an error tells of these places, of what is in them, or of the folders that they are in.

    One that names no file is taken to, and one that only writing raises.
    """
    if error.errno in _OF_WRITING or error.filename is None:
        return True
    named = [Path(os.fsdecode(one)).absolute() for one in (error.filename, error.filename2) if one is not None]
    roots = [place.absolute() for place in places]
    return any(one.is_relative_to(root) or root.is_relative_to(one) for one in named for root in roots)


def append(path: Path, text: str) -> None:
    """Add to a file that grows, where a part of ``text`` does no harm. Raises WorkFailed where the system refuses."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise not_written(path, error) from error


def make_folder(path: Path) -> None:
    """Make a folder and those above it, as far as they are missing, and wait until they are on the disk."""
    missing = list(takewhile(lambda folder: not folder.exists(), (path, *path.parents)))
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        flush(folder.parent)


def not_written(path: Path, error: OSError) -> WorkFailed:
    """What the user is told where the system refuses to write ``path``."""
    reason = error.strerror or str(error)
    return WorkFailed(f"{path}: can't be written: {reason}", hint="is the disk full, or the folder read-only?")


def _encodable(value: Any) -> Any:
    if isinstance(value, dict):
        return {_encodable(key): _encodable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(one) for one in value]
    return encodable(value) if isinstance(value, str) else value


def flush(path: Path) -> None:
    """Wait until the content of a file or a folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _prefix() -> str:
    return f".imgclf-{os.getpid()}-"


def _is_another(process: int) -> bool:
    """Whether a process lives and is not this one."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return process != os.getpid()


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


@contextmanager
def _beside(path: Path, make: Callable[[Path], Path], remove: Callable[[Path], None]) -> Iterator[Path]:
    """What is made beside ``path`` and removed where it has not become it; refusals of the system are WorkFailed."""
    temporary = None
    try:
        make_folder(path.parent)
        temporary = make(path)
        yield temporary
    except OSError as error:
        if temporary is not None and not concerns(error, path, temporary):
            raise
        raise not_written(path, error) from error
    finally:
        if temporary is not None:
            remove(temporary)


def _new_file(path: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=_prefix(), suffix=f".{path.name}", dir=path.parent)
    os.close(handle)
    return Path(name)


def _remove_file(temporary: Path) -> None:
    with suppress(OSError):  # what kept the file from being written keeps it from being removed, too
        temporary.unlink(missing_ok=True)


def _new_folder(path: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=_prefix(), suffix=f".{path.name}", dir=path.parent))


def _remove_folder(temporary: Path) -> None:
    shutil.rmtree(temporary, ignore_errors=True)
