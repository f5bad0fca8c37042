"""The entries of the cache of decoded images: where they lie, who makes them, what they say, how they are removed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

WAIT_SECONDS = 1.0  # for another process, before the user is told once more
PIXELS, DIGESTS, MANIFEST = "pixels.npy", "digests.npy", "manifest.json"

ReportProgress = Callable[[str, int, int], None]


class NotCached(Exception):
    """The cache cannot take the images; the text says why."""


class DamagedError(Exception):
    """An entry is not what its manifest says; the text says what is wrong."""


@dataclass(frozen=True)
class Entry:
    """What ``imgclf data cache list`` tells of an entry; ``problem`` where it is damaged."""

    folder: Path
    source: str
    images: int
    image_shape: tuple[int, ...]
    size_bytes: int
    created: str
    problem: str | None

    def to_json(self) -> dict[str, Any]:
        """The entry as one object of the command's JSON."""
        return {
            "path": str(self.folder),
            "source": self.source,
            "images": self.images,
            "image_shape": list(self.image_shape),
            "size_bytes": self.size_bytes,
            "created": self.created,
            "problem": self.problem,
        }


@dataclass(frozen=True)
class Cleared:
    """What ``clear`` did: entries removed, bytes freed, the entries that are being made now, and what would not go."""

    removed: int
    freed_bytes: int
    busy: tuple[Path, ...]
    left: tuple[Path, ...]


def list_entries(cache_dir: Path) -> list[Entry]:
    """The entries of the cache, the oldest first."""
    folder = entries_folder(cache_dir)
    if not folder.is_dir():
        return []
    entries = [_describe(path) for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(entries, key=lambda entry: (entry.created, entry.folder.name))


def clear(cache_dir: Path) -> Cleared:
    """Remove every entry, and what unfinished ones left; those that are being made now stay, and what the system keeps.

    A run that has an entry open keeps its images: the system frees them when it ends.
    """
    from filelock import FileLock, Timeout

    folder = entries_folder(cache_dir)
    removed, freed = 0, 0
    busy: list[Path] = []
    left: list[Path] = []
    names = {path.name.lstrip(".").split(".")[0] for path in folder.iterdir()} if folder.is_dir() else set()
    for entry in (folder / name for name in sorted(names)):
        try:
            with FileLock(_lock_path(entry), timeout=0, mode=_lock_mode()):
                there = [entry, *_unfinished(entry)] if entry.is_dir() else _unfinished(entry)
                sizes = {path: size_of(path) for path in there}
                for path in there:
                    shutil.rmtree(path, ignore_errors=True)
                freed += sum(size - size_of(path) for path, size in sizes.items())
                removed += entry in sizes and not entry.exists()
                left += [path for path in there if path.exists()]
        except Timeout:
            busy.append(entry)
        except OSError:  # the lock's file is another user's
            left.append(entry)
    return Cleared(removed, freed, tuple(busy), tuple(left))


def entries_folder(cache_dir: Path) -> Path:
    """Where the entries of a cache lie, one folder each."""
    return cache_dir / "images"


@contextmanager
def own_writes(folder: Path) -> Iterator[None]:
    """What the system refuses to the cache itself. Raises NotCached, for which a run can do without it."""
    try:
        yield
    except OSError as error:
        raise NotCached(f"{folder}: cannot be written: {error.strerror or error}") from error


@contextmanager
def locked(entry: Path, report_progress: ReportProgress) -> Iterator[None]:
    """Hold the right to make an entry, and wait for it. Raises NotCached where the system does not give it."""
    from filelock import FileLock, Timeout

    with own_writes(entry.parent):
        entry.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(_lock_path(entry), mode=_lock_mode())
    while not lock.is_locked:
        with own_writes(entry.parent):
            try:
                lock.acquire(timeout=WAIT_SECONDS)
                break
            except Timeout:
                pass
        report_progress("waiting for another run that decodes these files", 0, 1)
    try:
        yield
    finally:
        lock.release()


def read_manifest(entry: Path) -> dict[str, Any]:
    """What an entry says of itself. Raises DamagedError."""
    try:
        manifest = json.loads((entry / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedError(f"{MANIFEST} cannot be read") from error
    if not isinstance(manifest, dict):
        raise DamagedError(f"{MANIFEST} is not what was written")
    return manifest


def remove_unfinished(entry: Path) -> None:
    """What a killed process left; only who holds the entry's lock may call this."""
    for path in _unfinished(entry):
        shutil.rmtree(path, ignore_errors=True)


def size_of(folder: Path) -> int:
    """Bytes on the disk of the files in a folder; 0 where there is none."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def _lock_path(entry: Path) -> Path:
    return entry.with_name(f".{entry.name}.lock")


def _lock_mode() -> int:
    """As other files are made: who may write into the cache's folder may also hold the lock."""
    mask = os.umask(0o022)
    os.umask(mask)
    return 0o666 & ~mask


def _unfinished(entry: Path) -> list[Path]:
    return list(entry.parent.glob(f".{entry.name}.*.part"))


def _describe(folder: Path) -> Entry:
    size = size_of(folder)
    try:
        manifest = read_manifest(folder)
        shape = tuple(int(length) for length in manifest["image_shape"])
        source, images, created = str(manifest["source"]), int(manifest["images"]), str(manifest["created"])
    except (DamagedError, KeyError, TypeError, ValueError) as error:
        made = datetime.fromtimestamp(folder.stat().st_mtime).astimezone().isoformat(timespec="seconds")
        return Entry(folder, "", 0, (), size, made, str(error))
    return Entry(folder, source, images, shape, size, created, None)
