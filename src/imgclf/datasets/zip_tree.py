"""The image files in a zip archive, read member by member: nothing is extracted, and nothing is believed unchecked."""

from __future__ import annotations

import stat
import threading
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from imgclf.datasets.file_tree import (
    HIDDEN,
    NO_IMAGE,
    START_BYTES,
    ImageFile,
    PassedOver,
    Tree,
    has_image_name,
    in_order,
    is_hidden,
    name_key,
)
from imgclf.errors import ImgclfError
from imgclf.images.decode import UnreadableImage
from imgclf.images.signature import file_format

MEMBER_LIMIT_BYTES = 2**28
ENCRYPTED = 0x1  # general purpose bit flag: APPNOTE.TXT, section 4.4.4
LINK = "a link in an archive"


@dataclass(frozen=True)
class ZipContainer:
    """An open archive; threads unpack one after the other, since they share one file position."""

    archive: zipfile.ZipFile
    lock: threading.Lock = field(default_factory=threading.Lock)

    def version(self, file: ImageFile) -> tuple[int, int]:
        member = self.archive.getinfo(file.name)
        return member.file_size, member.CRC

    def content(self, file: ImageFile) -> bytes:
        member = self.archive.getinfo(file.name)
        if member.file_size > MEMBER_LIMIT_BYTES:
            limit = f"more than the {MEMBER_LIMIT_BYTES:,} that are read at most"
            raise UnreadableImage(file.path, f"unpacks to {member.file_size:,} bytes, {limit}")
        try:
            with self.lock, self.archive.open(member) as stream:
                return stream.read(MEMBER_LIMIT_BYTES)
        except (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
            raise UnreadableImage(file.path, f"damaged in the archive: {error}") from error


def zip_tree(path: Path) -> Tree:
    """The images in an archive.

    Raises ImgclfError where it is none, is encrypted, or a member's name would lead out of the folder that it is
    extracted to.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise ImgclfError(
            f"{path}: cannot be read as a zip archive: {error}", hint="is its download complete?"
        ) from error
    container = ZipContainer(archive)
    images: list[ImageFile] = []
    passed_over: list[PassedOver] = []
    folders: set[str] = set()
    seen: set[str] = set()
    for member in archive.infolist():
        _check_member(member, path, seen)
        above = PurePosixPath(member.filename).parents
        if member.is_dir():
            folders.add(member.filename.rstrip("/"))
        elif reason := _reason_against(member, container):
            passed_over.append(PassedOver(member.filename, reason))
        else:
            folders.update(str(folder) for folder in above[:-1])
            version = (member.file_size, member.CRC)
            images.append(ImageFile(member.filename, path / member.filename, version, container))
    return Tree(path, in_order(images), tuple(sorted(folders, key=name_key)), tuple(passed_over))


def _check_member(member: zipfile.ZipInfo, path: Path, seen: set[str]) -> None:
    name = member.filename
    if name.startswith("/") or "\\" in name or ":" in name.split("/")[0] or ".." in name.split("/"):
        raise ImgclfError(f"{path}: holds {name!r}, a name that leads out of the archive", hint="Don't extract it.")
    if name in seen:
        raise ImgclfError(f"{path}: holds two files of the name {name!r}")
    if member.flag_bits & ENCRYPTED:
        raise ImgclfError(f"{path}: {name!r} is encrypted", hint="Extract it with its password, and give the folder.")
    seen.add(name)


def _reason_against(member: zipfile.ZipInfo, container: ZipContainer) -> str | None:
    if any(is_hidden(part) for part in member.filename.split("/")):
        return HIDDEN
    if stat.S_ISLNK(member.external_attr >> 16):
        return LINK
    return None if has_image_name(member.filename) or _starts_as_image(member, container) else NO_IMAGE


def _starts_as_image(member: zipfile.ZipInfo, container: ZipContainer) -> bool:
    try:
        with container.archive.open(member) as stream:
            return file_format(stream.read(START_BYTES)) is not None
    except (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return False
