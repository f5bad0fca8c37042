"""The image files in a zip archive, read member by member: nothing is extracted, and nothing is believed unchecked."""

from __future__ import annotations

import stat
import threading
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from imgclf.datasets.folders.file_tree import ImageFile, PassedOver, Tree, in_order, name_key
from imgclf.datasets.stored.strict import ZIP_ERRORS
from imgclf.errors import ImgclfError
from imgclf.images.decode import UnreadableImage
from imgclf.images.signature import file_format
from imgclf.images.walk import HIDDEN, NO_IMAGE, START_BYTES, has_image_name, is_hidden

MEMBER_LIMIT_BYTES = 2**26  # several threads hold one each
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for gigabytes of memory to begin with
ENCRYPTED = 0x1  # general purpose bit flag: APPNOTE.TXT, section 4.4.4
LINK = "a link in an archive"
DEVICE = "a device in an archive"
OTHER_METHOD = "packed by another method than deflate"


@dataclass(frozen=True)
class ZipContainer:
    """An open archive; threads unpack one after the other, since they share one file position."""

    archive: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo] = field(default_factory=dict)  # by their names without "./" and "//"
    lock: threading.Lock = field(default_factory=threading.Lock)

    def version(self, file: ImageFile) -> tuple[int, int]:
        member = self.members[file.name]
        return member.file_size, member.CRC

    def content(self, file: ImageFile) -> bytes:
        member = self.members[file.name]
        if member.file_size > MEMBER_LIMIT_BYTES:
            limit = f"more than the {MEMBER_LIMIT_BYTES:,} that are read at most"
            raise UnreadableImage(file.path, f"unpacks to {member.file_size:,} bytes, {limit}")
        try:
            with self.lock, self.archive.open(member) as stream:
                return stream.read(MEMBER_LIMIT_BYTES)
        except (OSError, EOFError, zlib.error, *ZIP_ERRORS) as error:
            raise UnreadableImage(file.path, f"damaged in the archive: {error}") from error


def zip_tree(path: Path) -> Tree:
    """The images in an archive.

    Raises ImgclfError where it is none, is encrypted, or a member's name would lead out of the folder that it is
    extracted to.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, ValueError, *ZIP_ERRORS) as error:
        raise ImgclfError(
            f"{path}: cannot be read as a zip archive: {error}", hint="is its download complete?"
        ) from error
    try:
        return _tree(ZipContainer(archive), path)
    except BaseException:
        archive.close()
        raise


def _tree(container: ZipContainer, path: Path) -> Tree:
    images: list[ImageFile] = []
    passed_over: list[PassedOver] = []
    folders: set[str] = set()
    for member in container.archive.infolist():
        name = _checked_name(member, path)
        if member.is_dir():
            folders.update([] if any(map(is_hidden, name.split("/"))) else [name])
            continue
        if name in container.members:
            raise ImgclfError(f"{path}: holds two files of the name {name!r}")
        container.members[name] = member
        if reason := _reason_against(name, member, container):
            passed_over.append(PassedOver(name, reason))
        else:
            folders.update(str(folder) for folder in PurePosixPath(name).parents)
            images.append(ImageFile(name, path / name, (member.file_size, member.CRC), container))
    return Tree(path, in_order(images), tuple(sorted(folders - {"."}, key=name_key)), tuple(passed_over))


def _checked_name(member: zipfile.ZipInfo, path: Path) -> str:
    """The member's name as a path: without "./" and "//"."""
    name = member.filename
    if name.startswith("/") or "\\" in name or ":" in name.split("/")[0] or ".." in name.split("/"):
        raise ImgclfError(f"{path}: holds {name!r}, a name that leads out of the archive", hint="Don't extract it.")
    if member.flag_bits & ENCRYPTED:
        raise ImgclfError(f"{path}: {name!r} is encrypted", hint="Extract it with its password, and give the folder.")
    return str(PurePosixPath(name))


def _reason_against(name: str, member: zipfile.ZipInfo, container: ZipContainer) -> str | None:
    if any(is_hidden(part) for part in name.split("/")):
        return HIDDEN
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return LINK if kind == stat.S_IFLNK else DEVICE
    if member.compress_type not in METHODS:
        return OTHER_METHOD
    return None if has_image_name(name) or _starts_as_image(member, container) else NO_IMAGE


def _starts_as_image(member: zipfile.ZipInfo, container: ZipContainer) -> bool:
    try:
        with container.archive.open(member) as stream:
            return file_format(stream.read(START_BYTES)) is not None
    except (OSError, EOFError, zlib.error, *ZIP_ERRORS):
        return False
