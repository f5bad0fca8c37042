"""The image files below a folder or in a zip archive, in an order that does not depend on the file system."""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imgclf.errors import ImgclfError
from imgclf.images.decode import ImageInfo, UnreadableImage, image_info, read_content, read_image
from imgclf.images.find import IMAGE_EXTENSIONS, natural_parts
from imgclf.images.fit import ImageFit
from imgclf.images.signature import file_format

START_BYTES = 512  # enough of a file to tell its format
PIECE_BYTES = 2**20
NOT_NAMES = ("thumbs.db", "desktop.ini", "__macosx")  # what Windows and macOS leave beside images, hidden there
NAMES_SHOWN = 3

HIDDEN = "hidden"
NO_IMAGE = "no image by name and content"
OUTWARD_LINK, DEAD_LINK, LOOPING_LINK = (
    "a link out of the folder",
    "a link to nothing",
    "a link to a folder that it lies in",
)
DEVICE = "a device or a pipe"


class Container(Protocol):
    """What files are read from: the file system, or an archive."""

    def version(self, file: ImageFile) -> tuple[int, int]:
        """What differs between two contents of one path: size and time of change (ns), or size and checksum."""

    def content(self, file: ImageFile) -> bytes | None:
        """A file's bytes; None where it lies on the disk under its path.

        Raises UnreadableImage where a member of an archive cannot be unpacked.
        """


@dataclass(frozen=True)
class ImageFile:
    """A file that is taken for an image: ``name`` below the data set's place, with slashes; ``path`` for the user.

    ``version`` is what its container said of it when it was listed.
    """

    name: str
    path: Path
    version: tuple[int, int]
    container: Container

    def content(self) -> bytes | None:
        """Its bytes; None where it lies on the disk under its path. Raises UnreadableImage."""
        return self.container.content(self)

    def digest(self) -> bytes:
        """The SHA-256 of its bytes. Raises UnreadableImage."""
        content = self.content()
        if content is not None:
            return hashlib.sha256(content).digest()
        digest = hashlib.sha256()
        try:
            with self.path.open("rb", buffering=0) as stream:
                while piece := stream.read(PIECE_BYTES):
                    digest.update(piece)
        except OSError as error:
            raise UnreadableImage(self.path, f"cannot be read: {error.strerror or error}") from error
        return digest.digest()

    def has_changed(self) -> bool:
        """Whether the file is another one than when it was listed."""
        try:
            return self.container.version(self) != self.version
        except OSError:
            return True

    def pixels(self, fit: ImageFit) -> NDArray[np.uint8]:
        """The image as ``fit`` says. Raises UnreadableImage."""
        return read_image(self.path, fit, content=self.content())

    def pixels_and_digest(self, fit: ImageFit) -> tuple[NDArray[np.uint8], bytes]:
        """The image as ``fit`` says and the SHA-256 of its bytes, which are read once. Raises UnreadableImage."""
        content = self.content()
        content = read_content(self.path) if content is None else content
        if content is None:
            return self.pixels(fit), self.digest()
        return read_image(self.path, fit, content=content), hashlib.sha256(content).digest()

    def info(self) -> ImageInfo:
        """What its header says. Raises UnreadableImage."""
        return image_info(self.path, content=self.content())


@dataclass(frozen=True)
class PassedOver:
    """Something that is no image of the data set, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Tree:
    """The image files of one place in natural order (2 before 10), its folders, and what was passed over."""

    root: Path
    images: tuple[ImageFile, ...]
    folders: tuple[str, ...]
    passed_over: tuple[PassedOver, ...]

    def describe_passed_over(self) -> str | None:
        """One line for the user: how many of what, each kind with its first names; None where there is nothing."""
        if not self.passed_over:
            return None
        kinds = Counter(one.reason for one in self.passed_over)
        told = [
            f"{count:,} {reason} ({few([one.name for one in self.passed_over if one.reason == reason])})"
            for reason, count in kinds.items()
        ]
        return f"passed over in {self.root}: {'; '.join(told)}"


@dataclass(frozen=True)
class FileSystem:
    """Files that lie on the disk."""

    def version(self, file: ImageFile) -> tuple[int, int]:
        status = file.path.stat()
        return status.st_size, status.st_mtime_ns

    def content(self, file: ImageFile) -> None:  # noqa: ARG002 (one of two containers)
        return None


ON_DISK = FileSystem()


def folder_tree(root: Path) -> Tree:
    """The images below a folder. Links are followed where they stay below it.

    A file is taken for an image by its extension, or else by its first bytes. Raises ImgclfError where a folder cannot
    be listed.
    """
    images: list[ImageFile] = []
    folders: list[str] = []
    passed_over: list[PassedOver] = []
    top = os.path.realpath(root)
    for name, entry in _walk(str(root), "", (top,), top, folders, passed_over):
        reason = _reason_against(entry)
        if reason:
            passed_over.append(PassedOver(name, reason))
        else:
            status = entry.stat()
            images.append(ImageFile(name, root / name, (status.st_size, status.st_mtime_ns), ON_DISK))
    return Tree(root, in_order(images), tuple(sorted(folders, key=name_key)), tuple(passed_over))


def in_order(files: Iterable[ImageFile]) -> tuple[ImageFile, ...]:
    """The files by their names in natural order."""
    return tuple(sorted(files, key=lambda file: name_key(file.name)))


def name_key(name: str) -> tuple[list[list[tuple[int, str]]], str]:
    """Sorts names in natural order, whichever way the file system writes accents; no two names are equal."""
    return [natural_parts(part) for part in composed(name).split("/")], name


def composed(name: str) -> str:
    """The name with each accented letter as one character: macOS stores them as two."""
    return unicodedata.normalize("NFC", name)


def few(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is not shown by the system that made it."""
    return name.startswith(".") or name.lower() in NOT_NAMES


def has_image_name(name: str) -> bool:
    """Whether the name ends as an image's does."""
    return name.lower().endswith(IMAGE_EXTENSIONS)


def _walk(
    folder: str, prefix: str, above: tuple[str, ...], top: str, folders: list[str], passed_over: list[PassedOver]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """The files below a folder with their names from the top; ``above`` are the real folders down to this one."""
    for entry in _entries(folder):
        name = prefix + entry.name
        reason = HIDDEN if is_hidden(entry.name) else _reason_against_link(entry, above, top)
        if reason:
            passed_over.append(PassedOver(name, reason))
        elif entry.is_dir():
            folders.append(name)
            yield from _walk(entry.path, f"{name}/", (*above, os.path.realpath(entry.path)), top, folders, passed_over)
        else:
            yield name, entry


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise ImgclfError(f"{folder}: cannot be listed: {error.strerror or error}") from error


def _reason_against_link(entry: os.DirEntry[str], above: tuple[str, ...], top: str) -> str | None:
    if not entry.is_symlink():
        return None
    real = os.path.realpath(entry.path)
    if not os.path.exists(real):  # noqa: PTH110 (a text, as its neighbours)
        return DEAD_LINK
    if real in above:
        return LOOPING_LINK
    return None if real.startswith(top.rstrip(os.sep) + os.sep) else OUTWARD_LINK


def _reason_against(entry: os.DirEntry[str]) -> str | None:
    if not stat.S_ISREG(entry.stat().st_mode):
        return DEVICE
    return None if has_image_name(entry.name) or _starts_as_image(entry.path) else NO_IMAGE


def _starts_as_image(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return file_format(file.read(START_BYTES)) is not None
    except OSError:
        return False
