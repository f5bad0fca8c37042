"""Decoded image files, kept on the disk: built whole or not at all, shared by all runs, mapped and never loaded.

An entry is a folder ``<key>`` with ``pixels.npy``, uint8 (files, height, width, channels) with rows of zeros for
unreadable files; ``digests.npy``, uint8 (files, 32), the SHA-256 of each file; and ``manifest.json``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.cache.build import build_entry, sample_digest
from imgclf.datasets.cache.entries import (
    DIGESTS,
    PIXELS,
    DamagedError,
    NotCached,
    ReportProgress,
    entries_folder,
    locked,
    own_writes,
    read_manifest,
    remove_unfinished,
    size_of,
)
from imgclf.datasets.folders.decoding import DIGEST_BYTES, Verdicts, judge_again, shape_of
from imgclf.datasets.folders.file_tree import ImageFile
from imgclf.images.fit import ImageFit
from imgclf.texts import size_text

DECODER_VERSION = 1  # raised when a file's pixels change: entries of other versions are not used
DECODERS = ("pillow", "opencv-python", "simplejpeg")  # another version of theirs may give other pixels, too


@dataclass(frozen=True)
class CachedImages:
    """An entry: pixels (mapped), verdicts, its folder, and what the user should know about it."""

    pixels: NDArray[np.uint8]
    verdicts: Verdicts
    folder: Path
    note: str


def cached_images(
    cache_dir: Path, source: Path, files: Sequence[ImageFile], fit: ImageFit, report_progress: ReportProgress
) -> CachedImages:
    """The decoded files, from the cache or decoded into it now. ``fit`` has a size and channels.

    Of several processes that ask at once one decodes, the others wait for it. Who may only read the cache reads what
    is there. Raises NotCached where the disk has no room or the folder cannot be written.
    """
    folder = entries_folder(cache_dir) / cache_key(files, fit)
    found = _look(folder, files, fit)
    if isinstance(found, CachedImages):
        return found
    with locked(folder, report_progress):
        found = _look(folder, files, fit)  # another run may have made it meanwhile
        if isinstance(found, CachedImages):
            return found
        with own_writes(folder.parent):
            if folder.exists():
                shutil.rmtree(folder)
            remove_unfinished(folder)
        build_entry(folder, source, files, fit, _decoders(), report_progress)
        try:
            made = _open(folder, (len(files), *shape_of(fit)))
        except DamagedError as error:
            raise NotCached(f"{folder}: does not hold what was written: {error}") from error
    note = f"{found}decoded once, kept in {folder} ({size_text(size_of(folder))})"
    return CachedImages(made.pixels, made.verdicts, folder, note)


def cache_key(files: Sequence[ImageFile], fit: ImageFit) -> str:
    """32 hexadecimal digits that differ where files (names, sizes, times), fit or decoders do."""
    digest = hashlib.sha256(f"{_decoders()} {fit}\n".encode())
    for file in files:
        path = os.fsencode(os.path.abspath(file.path))  # noqa: PTH100 (Path.absolute keeps "..")
        digest.update(path + b"\0%d %d\n" % file.version)
    return digest.hexdigest()[:32]


def _decoders() -> str:
    """What pixels depend on besides files and fit."""
    return ", ".join([str(DECODER_VERSION), *(f"{name} {metadata.version(name)}" for name in DECODERS)])


def _look(folder: Path, files: Sequence[ImageFile], fit: ImageFit) -> CachedImages | str:
    """The entry; or why it is to be made anew, "" where there is none.

    What could not be read is tried again: a file's permissions and a network's state are no part of the key.
    """
    with own_writes(folder.parent):
        if not folder.exists():
            return ""
    try:
        entry = _open(folder, (len(files), *shape_of(fit)))
    except DamagedError as error:
        return f"the cached images were damaged ({error}) and are made anew; "
    unreadable = judge_again(files, fit, entry.verdicts.unreadable)
    if recovered := len(entry.verdicts.unreadable) - len(unreadable):
        return f"cached images are made anew, since {recovered:,} that could not be read before can be now; "
    return CachedImages(entry.pixels, Verdicts(entry.verdicts.digests, unreadable), folder, entry.note)


def _open(folder: Path, shape: tuple[int, ...]) -> CachedImages:
    """The entry, mapped. Raises DamagedError where it is not whole."""
    manifest = read_manifest(folder)
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
    if sample_digest(pixels) != sample:
        raise DamagedError(f"{PIXELS} is not what was written")
    note = f"decoded images from {folder}, made {created}"
    return CachedImages(pixels, Verdicts(digests, unreadable), folder, note)
