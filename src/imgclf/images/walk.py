"""The files below a folder, and why some are no images: what data sets and predictions read from folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imgclf.images.signature import file_format

START_BYTES = 512  # enough of a file to tell its format
IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".avif")
NOT_NAMES = ("thumbs.db", "desktop.ini", "__macosx")  # what Windows and macOS leave beside images, hidden there

HIDDEN = "hidden"
NO_IMAGE = "no image by name and content"
OUTWARD_LINK, DEAD_LINK, LOOPING_LINK = (
    "a link out of the folder",
    "a link to nothing",
    "a link to a folder that it lies in",
)
DEVICE = "a device or a pipe"


@dataclass(frozen=True)
class Met:
    """A file or folder below the one that is walked: its name from there, with slashes, and its path.

    ``left_out`` says why it is not gone into or taken; ``is_listed`` is False where a folder's files cannot be told.
    """

    name: str
    entry: os.DirEntry[str]
    is_folder: bool
    left_out: str | None = None
    is_listed: bool = True


def walk(folder: Path, *, outward: bool) -> Iterator[Met]:
    """All that lies below a folder, in the file system's order; links into it are followed, ``outward`` ones if asked.

    A link to a folder that it lies in is not. Raises OSError where the folder itself cannot be listed.
    """
    real = os.path.realpath(folder)
    return _below(_entries(str(folder)), "", (real,), None if outward else real)


def reason_against(path: str | Path) -> str | None:
    """Why a file that is there is not taken for an image, by its kind, name and first bytes; None where it is."""
    path = Path(path)
    if not stat.S_ISREG(path.stat().st_mode):
        return DEVICE
    return None if has_image_name(path.name) or _starts_as_image(path) else NO_IMAGE


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is not shown by the system that made it."""
    return name.startswith(".") or name.lower() in NOT_NAMES


def has_image_name(name: str) -> bool:
    """Whether the name ends as an image's does."""
    return name.lower().endswith(IMAGE_EXTENSIONS)


def _below(entries: list[os.DirEntry[str]], prefix: str, above: tuple[str, ...], top: str | None) -> Iterator[Met]:
    """What lies in a folder and below it; ``above`` are the real folders down to it, ``top`` is not to be left."""
    for entry in entries:
        name, is_folder = prefix + entry.name, entry.is_dir()
        reason = HIDDEN if is_hidden(entry.name) else _reason_against_link(entry, above, top)
        if reason or not is_folder:
            yield Met(name, entry, is_folder, reason)
            continue
        try:
            inner = _entries(entry.path)
        except OSError as error:
            yield Met(name, entry, is_folder, f"cannot be listed: {error.strerror or error}", is_listed=False)
            continue
        yield Met(name, entry, is_folder)
        yield from _below(inner, f"{name}/", (*above, os.path.realpath(entry.path)), top)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _reason_against_link(entry: os.DirEntry[str], above: tuple[str, ...], top: str | None) -> str | None:
    if not entry.is_symlink():
        return None
    real = os.path.realpath(entry.path)
    if not os.path.exists(real):  # noqa: PTH110 (a text, as its neighbours)
        return DEAD_LINK
    if real in above:
        return LOOPING_LINK
    return OUTWARD_LINK if top is not None and not real.startswith(top.rstrip(os.sep) + os.sep) else None


def _starts_as_image(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return file_format(stream.read(START_BYTES)) is not None
    except OSError:
        return False  # what can't be read is named as no image
