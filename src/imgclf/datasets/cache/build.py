"""A new entry of the cache of decoded images: built beside its place, flushed to the disk, and then given its name."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.cache.entries import (
    DIGESTS,
    MANIFEST,
    PIXELS,
    NotCached,
    ReportProgress,
    own_writes,
)
from imgclf.datasets.folders.decoding import DIGEST_BYTES, Verdicts, decode_files, shape_of
from imgclf.datasets.folders.file_tree import ImageFile
from imgclf.images.fit import ImageFit
from imgclf.texts import size_text

MARGIN_BYTES = 2**30  # of the disk, left free for the run itself and for others
CHECKED_IMAGES = 32  # compared with their digest whenever an entry is opened: finds pages that were never written


def build_entry(
    entry: Path, source: Path, files: Sequence[ImageFile], fit: ImageFit, decoders: str, report_progress: ReportProgress
) -> None:
    """Decode the files into an entry; only who holds its lock may call this. ``decoders`` are told in its manifest.

    Raises NotCached where the disk has no room or refuses; what goes wrong with the files themselves is as in
    ``decode_files``.
    """
    with own_writes(entry.parent):
        _check_room(entry.parent, (len(files), *shape_of(fit)))
        unfinished = entry.with_name(f".{entry.name}.{uuid.uuid4().hex}.part")
        unfinished.mkdir()
    try:
        verdicts = _write_pixels(unfinished / PIXELS, files, fit, report_progress)
        with own_writes(entry.parent):
            np.save(unfinished / DIGESTS, verdicts.digests, allow_pickle=False)
            _write_manifest(unfinished, source, fit, decoders, verdicts)
            for path in (unfinished / DIGESTS, unfinished / MANIFEST, unfinished):
                _flush(path)
            unfinished.replace(entry)
            _flush(entry.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def sample_digest(pixels: NDArray[np.uint8]) -> str:
    """The SHA-256 of some images, evenly spread."""
    positions = np.linspace(0, len(pixels) - 1, min(CHECKED_IMAGES, len(pixels))).astype(np.int64)
    return hashlib.sha256(pixels[positions].tobytes()).hexdigest()


def _check_room(folder: Path, shape: tuple[int, ...]) -> None:
    needed = int(np.prod(shape)) + shape[0] * DIGEST_BYTES
    free = shutil.disk_usage(folder).free
    if needed + MARGIN_BYTES > free:
        raise NotCached(
            f"{folder}: {size_text(needed)} are needed, and {size_text(MARGIN_BYTES)} are to stay free; "
            f"the disk has {size_text(free)}"
        )


def _write_pixels(path: Path, files: Sequence[ImageFile], fit: ImageFit, report_progress: ReportProgress) -> Verdicts:
    """The decoded files as one NumPy file. By position and not through a map: a full disk is an error and no SIGBUS."""
    shape = (len(files), *shape_of(fit))
    row_bytes = int(np.prod(shape[1:]))
    with own_writes(path):
        first = _write_header(path, shape)
        os.truncate(path, first + shape[0] * row_bytes)
        target = os.open(path, os.O_WRONLY)

    def write(position: int, pixels: NDArray[np.uint8]) -> None:
        with own_writes(path):
            _write_at(target, pixels, first + position * row_bytes)

    try:
        verdicts = decode_files(files, fit, write, report_progress)
        with own_writes(path):
            os.fsync(target)
    finally:
        os.close(target)
    return verdicts


def _write_header(path: Path, shape: tuple[int, ...]) -> int:
    """The start of a NumPy file of uint8; its length."""
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        return stream.tell()


def _write_at(target: int, pixels: NDArray[np.uint8], offset: int) -> None:
    rest = pixels.data.cast("B")
    while rest:
        written = os.pwrite(target, rest, offset)
        rest, offset = rest[written:], offset + written


def _write_manifest(unfinished: Path, source: Path, fit: ImageFit, decoders: str, verdicts: Verdicts) -> None:
    pixels = np.load(unfinished / PIXELS, mmap_mode="r", allow_pickle=False)
    manifest = {
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        "source": str(source),
        "images": len(pixels),
        "image_shape": list(pixels.shape[1:]),
        "fit": str(fit),
        "decoders": decoders,
        "sample_sha256": sample_digest(pixels),
        "digests_sha256": hashlib.sha256(verdicts.digests.tobytes()).hexdigest(),
        "unreadable": [[position, reason] for position, reason in verdicts.unreadable.items()],
    }
    (unfinished / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
