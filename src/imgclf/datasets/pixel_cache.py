"""Decoded image files, kept on the disk: built whole or not at all, shared by all runs, mapped and never loaded.

An entry is a folder ``<key>`` with ``pixels.npy``, uint8 (files, height, width, channels) with rows of zeros for
unreadable files; ``digests.npy``, uint8 (files, 32), the SHA-256 of each file; and ``manifest.json``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.decoding import DIGEST_BYTES, Verdicts, decode_files, shape_of
from imgclf.datasets.file_tree import ImageFile
from imgclf.images.fit import ImageFit

DECODER_VERSION = 1  # raised when a file's pixels change: entries of other versions are not used
MARGIN_BYTES = 2**30  # of the disk, left free for the run itself and for others
CHECKED_IMAGES = 32  # compared with their digest whenever an entry is opened: finds pages that were never written
WAIT_SECONDS = 1.0  # for another process, before the user is told once more
PIXELS, DIGESTS, MANIFEST = "pixels.npy", "digests.npy", "manifest.json"

ReportProgress = Callable[[str, int, int], None]


class NotCached(Exception):
    """The cache cannot take the images; the text says why."""


class DamagedError(Exception):
    """An entry is not what its manifest says; the text says what is wrong."""


@dataclass(frozen=True)
class CachedImages:
    """An entry: pixels (mapped), verdicts, its folder, and what the user should know about it."""

    pixels: NDArray[np.uint8]
    verdicts: Verdicts
    folder: Path
    note: str


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
    """What ``clear`` did: entries removed, their bytes, and the entries that are being made now."""

    removed: int
    freed_bytes: int
    busy: tuple[Path, ...]


def cached_images(
    cache_dir: Path, source: Path, files: Sequence[ImageFile], fit: ImageFit, report_progress: ReportProgress
) -> CachedImages:
    """The decoded files, from the cache or decoded into it now. ``fit`` has a size and channels.

    Of several processes that ask at once one decodes, the others wait for it. Raises NotCached where the disk has no
    room or the folder cannot be written.
    """
    key = cache_key(files, fit)
    folder = _entries_folder(cache_dir) / key
    shape = (len(files), *shape_of(fit))
    damage = ""
    try:
        with _locked(folder, report_progress):
            if folder.exists():
                try:
                    return _open(folder, shape)
                except DamagedError as error:
                    damage = f"the cached images were damaged ({error}) and are made anew; "
                    shutil.rmtree(folder)
            _remove_unfinished(folder)
            _check_room(folder.parent, shape)
            _build(folder, source, files, fit, shape, report_progress)
            opened = _open(folder, shape)
    except OSError as error:
        raise NotCached(f"{folder.parent}: cannot be written: {error.strerror or error}") from error
    except DamagedError as error:
        raise NotCached(f"{folder}: does not hold what was written: {error}") from error
    size = _text_of_size(_size_of(folder))
    return CachedImages(opened.pixels, opened.verdicts, folder, f"{damage}decoded once, kept in {folder} ({size})")


def cache_key(files: Sequence[ImageFile], fit: ImageFit) -> str:
    """32 hexadecimal digits that differ where files (names, sizes, times), fit or decoder do."""
    digest = hashlib.sha256(f"{DECODER_VERSION} {fit}\n".encode())
    for file in files:
        path = os.fsencode(os.path.abspath(file.path))  # noqa: PTH100 (Path.absolute keeps "..")
        digest.update(path + b"\0%d %d\n" % file.version)
    return digest.hexdigest()[:32]


def list_entries(cache_dir: Path) -> list[Entry]:
    """The entries of the cache, the oldest first."""
    folder = _entries_folder(cache_dir)
    if not folder.is_dir():
        return []
    entries = [_describe(path) for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(entries, key=lambda entry: (entry.created, entry.folder.name))


def clear(cache_dir: Path) -> Cleared:
    """Remove every entry, and what unfinished ones left; those that are being made now stay.

    A run that has an entry open keeps its images: the system frees them when it ends.
    """
    from filelock import FileLock, Timeout

    folder = _entries_folder(cache_dir)
    removed, freed, busy = 0, 0, []
    names = {path.name.lstrip(".").split(".")[0] for path in folder.iterdir()} if folder.is_dir() else set()
    for entry in (folder / name for name in sorted(names)):
        try:
            with FileLock(_lock_path(entry), timeout=0):
                freed += _size_of(entry) + sum(_size_of(part) for part in _unfinished(entry))
                removed += entry.is_dir()
                shutil.rmtree(entry, ignore_errors=True)
                _remove_unfinished(entry)
        except Timeout:
            busy.append(entry)
    return Cleared(removed, freed, tuple(busy))


def _entries_folder(cache_dir: Path) -> Path:
    return cache_dir / "images"


def _lock_path(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


@contextmanager
def _locked(folder: Path, report_progress: ReportProgress) -> Iterator[None]:
    from filelock import FileLock, Timeout

    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(_lock_path(folder))
    while not lock.is_locked:
        try:
            lock.acquire(timeout=WAIT_SECONDS)
        except Timeout:
            report_progress("waiting for another run that decodes these files", 0, 1)
    try:
        yield
    finally:
        lock.release()


def _open(folder: Path, shape: tuple[int, ...]) -> CachedImages:
    """The entry, mapped. Raises DamagedError where it is not whole."""
    manifest = _read_manifest(folder)
    try:
        pixels = np.asarray(np.load(folder / PIXELS, mmap_mode="r", allow_pickle=False))
        digests = np.load(folder / DIGESTS, allow_pickle=False)
        unreadable = {int(position): str(reason) for position, reason in manifest["unreadable"]}
        created, kept, sample = manifest["created"], manifest["digests_sha256"], manifest["sample_sha256"]
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise DamagedError(str(error)) from error
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise DamagedError(f"{PIXELS} holds {pixels.dtype} {pixels.shape}, expected uint8 {shape}")
    if digests.shape != (shape[0], DIGEST_BYTES) or hashlib.sha256(digests.tobytes()).hexdigest() != kept:
        raise DamagedError(f"{DIGESTS} is not what was written")
    if _sample_digest(pixels) != sample:
        raise DamagedError(f"{PIXELS} is not what was written")
    note = f"decoded images from {folder}, made {created}"
    return CachedImages(pixels, Verdicts(digests, unreadable), folder, note)


def _sample_digest(pixels: NDArray[np.uint8]) -> str:
    """The SHA-256 of some images, evenly spread."""
    positions = np.linspace(0, len(pixels) - 1, min(CHECKED_IMAGES, len(pixels))).astype(np.int64)
    return hashlib.sha256(pixels[positions].tobytes()).hexdigest()


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedError(f"{MANIFEST} cannot be read") from error
    if not isinstance(manifest, dict):
        raise DamagedError(f"{MANIFEST} is not what was written")
    return manifest


def _check_room(folder: Path, shape: tuple[int, ...]) -> None:
    needed = int(np.prod(shape)) + shape[0] * DIGEST_BYTES
    free = shutil.disk_usage(folder).free
    if needed + MARGIN_BYTES > free:
        raise NotCached(
            f"{folder}: {_text_of_size(needed)} are needed, and {_text_of_size(MARGIN_BYTES)} are to stay free; "
            f"the disk has {_text_of_size(free)}"
        )


def _build(
    folder: Path,
    source: Path,
    files: Sequence[ImageFile],
    fit: ImageFit,
    shape: tuple[int, ...],
    report_progress: ReportProgress,
) -> None:
    """Decode the files into a folder beside ``folder``, flush it to the disk, and give it its name."""
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        with (unfinished / PIXELS).open("w+b") as stream:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, header)
            stream.flush()
            first, row_bytes, target = stream.tell(), int(np.prod(shape[1:])), stream.fileno()
            os.truncate(target, first + shape[0] * row_bytes)
            # Written by position and not through a map: a full disk is then an error and no SIGBUS.
            verdicts = decode_files(
                files,
                fit,
                lambda position, pixels: _write_at(target, pixels, first + position * row_bytes),
                report_progress,
            )
            os.fsync(target)
        np.save(unfinished / DIGESTS, verdicts.digests, allow_pickle=False)
        manifest = {
            "created": datetime.now().astimezone().isoformat(timespec="seconds"),
            "source": str(source),
            "images": len(files),
            "image_shape": list(shape[1:]),
            "fit": str(fit),
            "decoder": DECODER_VERSION,
            "sample_sha256": _sample_digest(np.load(unfinished / PIXELS, mmap_mode="r", allow_pickle=False)),
            "digests_sha256": hashlib.sha256(verdicts.digests.tobytes()).hexdigest(),
            "unreadable": [[position, reason] for position, reason in verdicts.unreadable.items()],
        }
        (unfinished / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        for path in (unfinished / DIGESTS, unfinished / MANIFEST, unfinished):
            _flush(path)
        unfinished.replace(folder)
        _flush(folder.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write_at(target: int, pixels: NDArray[np.uint8], offset: int) -> None:
    rest = pixels.data.cast("B")
    while rest:
        written = os.pwrite(target, rest, offset)
        rest, offset = rest[written:], offset + written


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unfinished(folder: Path) -> list[Path]:
    return list(folder.parent.glob(f".{folder.name}.*.part"))


def _remove_unfinished(folder: Path) -> None:
    """What a killed process left; only who holds the entry's lock may call this."""
    for path in _unfinished(folder):
        shutil.rmtree(path, ignore_errors=True)


def _describe(folder: Path) -> Entry:
    size = _size_of(folder)
    try:
        manifest = _read_manifest(folder)
        shape = tuple(int(length) for length in manifest["image_shape"])
        source, images, created = str(manifest["source"]), int(manifest["images"]), str(manifest["created"])
    except (DamagedError, KeyError, TypeError, ValueError) as error:
        made = datetime.fromtimestamp(folder.stat().st_mtime).astimezone().isoformat(timespec="seconds")
        return Entry(folder, "", 0, (), size, made, str(error))
    return Entry(folder, source, images, shape, size, created, None)


def _size_of(folder: Path) -> int:
    """Bytes on the disk of the files in a folder; 0 where there is none."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def _text_of_size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"
