"""The image files below a folder or in a zip archive, in an order that does not depend on the file system."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imgclf.errors import ImgclfError, encodable
from imgclf.images.decode import ImageInfo, UnreadableImage, image_info, read_content, read_image
from imgclf.images.find import natural_parts
from imgclf.images.fit import ImageFit
from imgclf.images.walk import Met, reason_against, walk
from imgclf.texts import few

PIECE_BYTES = 2**20


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
            f"{count:,} {reason} ({few([one.name for one in self.passed_over if one.reason == reason], 3)})"
            for reason, count in kinds.items()
        ]
        return f"passed over in {self.root}: {'; '.join(told)}"

    def besides(self, file: Path) -> Tree:
        """The tree in which a file that is read as something else is not passed over."""
        return replace(self, passed_over=tuple(one for one in self.passed_over if self.root / one.name != file))


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
    for met in _walked(root):
        if met.is_folder and met.left_out is None:
            folders.append(met.name)
        elif reason := met.left_out or reason_against(met.entry.path):
            passed_over.append(PassedOver(met.name, reason))
        else:
            status = met.entry.stat()
            images.append(ImageFile(met.name, root / met.name, (status.st_size, status.st_mtime_ns), ON_DISK))
    return Tree(root, in_order(images), tuple(sorted(folders, key=name_key)), tuple(passed_over))


def in_order(files: Iterable[ImageFile]) -> tuple[ImageFile, ...]:
    """The files by their names in natural order."""
    return tuple(sorted(files, key=lambda file: name_key(file.name)))


def name_key(name: str) -> tuple[list[list[tuple[int, str]]], str]:
    """Sorts names in natural order, whichever way the file system writes accents; no two names are equal."""
    return [natural_parts(part) for part in composed(name).split("/")], name


def class_name(name: str) -> str:
    """The class that a name says; bytes in it that are no UTF-8 are escaped, for every text that it comes into."""
    return encodable(composed(name))


def composed(name: str) -> str:
    """The name with each accented letter as one character: macOS stores them as two."""
    return unicodedata.normalize("NFC", name)


def _walked(root: Path) -> Iterator[Met]:
    """What lies below the folder. Raises ImgclfError where some of it cannot be told: it may be half of the data."""
    try:
        for met in walk(root, outward=False):
            if not met.is_listed:
                raise ImgclfError(f"{met.entry.path}: {met.left_out}")
            yield met
    except OSError as error:
        raise ImgclfError(f"{root}: cannot be listed: {error.strerror or error}") from error
