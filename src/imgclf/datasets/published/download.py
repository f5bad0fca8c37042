"""Downloads of published files: from one mirror after the other, checked by content, all files or none.

What came before a connection was cut stays in a hidden .part file, and the next try asks for the rest alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import io
import math
import os
import secrets
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from imgclf.datasets.published.fetching import CutError, RefusedError, ReportProgress, fetch
from imgclf.datasets.published.whereabouts import PublishedFile
from imgclf.datasets.stored.strict import open_content
from imgclf.errors import ImgclfError, WorkFailed

_CHUNK_BYTES = 2**18
_GZIP_EXTRA_BYTES = 2**16  # what gzip can add at most to a file of these sizes that it cannot shrink


@dataclass(frozen=True)
class Download:
    """Whether all files are in the folder now, the mirrors that gave them, and each failure (one line each)."""

    complete: bool
    mirrors: tuple[str, ...]
    failures: tuple[str, ...]


def download_files(
    files: Sequence[PublishedFile], mirrors: Sequence[str], folder: Path, report_progress: ReportProgress
) -> Download:
    """Puts all of the files into the folder, or none of them.

    Mirrors are addresses that end in "/": https, or http on this machine itself. Raises WorkFailed where the disk does
    not take what came.
    """
    used: list[str] = []
    failures: list[str] = []
    parts: dict[Path, Path] = {}
    with ExitStack() as claims:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for file in files:
                part = parts[folder / file.name] = _claim(folder, file.name, claims)
                mirror = _fetch_from_any(mirrors, file, part, failures, report_progress)
                if mirror is None:
                    return Download(False, tuple(used), tuple(failures))
                used += [] if mirror in used else [mirror]
            _move_into_place(parts, folder)
        except OSError as error:
            failures.append(f"{folder}: cannot be written: {error.strerror or error}")
            return Download(False, tuple(used), tuple(failures))
        finally:
            _tidy(list(parts.values()))
    return Download(True, tuple(used), tuple(failures))


def _claim(folder: Path, name: str, claims: ExitStack) -> Path:
    """The file for what comes, maybe begun by an earlier download; another one where a process is writing to it."""
    part = folder / f".{name}.part"
    try:
        descriptor = os.open(part, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o666)  # a link may lead to any file
        claims.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        part = folder / f".{name}.{secrets.token_hex(4)}.part"
    part.touch()
    return part


def _tidy(parts: Sequence[Path]) -> None:
    """Remove what is left, but for the last file where a part of it came: the next download goes on from there."""
    for part in parts:
        if part != parts[-1] or (part.exists() and part.stat().st_size == 0):
            part.unlink(missing_ok=True)


def download_unpublished(
    address: str,
    path: Path,
    most_bytes: int,
    check: Callable[[Path], object],
    report_progress: ReportProgress,
) -> str:
    """Puts what lies at an address, of which no SHA-256 was published, into ``path``; returns its SHA-256.

    ``check`` raises ImgclfError where the file is not what it should be. The digest is written beside the file, as
    sha256sum does. Raises WorkFailed, and leaves nothing, where anything goes wrong.
    """
    part = path.parent / f".{path.name}.{secrets.token_hex(4)}.part"
    digest_part = part.with_suffix(".sha256")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch(exist_ok=False)
        fetch(address, part, path.name, most_bytes, report_progress, has_digest=False)
        check(part)
        with part.open("rb") as content:
            digest, _ = _digest(content)
        digest_part.write_text(f"{digest}  {path.name}\n", encoding="utf-8")
        _move_into_place({path.with_name(f"{path.name}.sha256"): digest_part, path: part}, path.parent)
    except WorkFailed:
        raise
    except ImgclfError as error:
        raise WorkFailed(f"{address}: {str(error).removeprefix(f'{part}: ')}") from error
    except (RefusedError, http.client.HTTPException, OSError) as error:
        raise WorkFailed(f"{address}: {_reason(error)}") from error
    finally:
        part.unlink(missing_ok=True)
        digest_part.unlink(missing_ok=True)
    return digest


def _fetch_from_any(
    mirrors: Sequence[str], file: PublishedFile, part: Path, failures: list[str], report_progress: ReportProgress
) -> str | None:
    """The mirror that gave the file; those that failed for an earlier file are asked last."""
    failed = {mirror for mirror in mirrors if any(failure.startswith(mirror) for failure in failures)}
    for mirror in sorted(mirrors, key=failed.__contains__):
        try:
            _fetch_checked(mirror + file.name, file, part, report_progress)
        except WorkFailed:
            part.unlink(missing_ok=True)
            raise
        except (RefusedError, http.client.HTTPException, OSError) as error:
            failures.append(f"{mirror}{file.name}: {_reason(error)}")
        else:
            return mirror
    return None


def _fetch_checked(address: str, file: PublishedFile, part: Path, report_progress: ReportProgress) -> None:
    """Leaves the whole file in ``part``; after a cut, what came of it; and nothing where that is wrong.

    What an earlier download or another mirror left may not go with the rest: then it is fetched from its beginning.
    """
    begun = part.stat().st_size > 0
    try:
        fetch(address, part, file.name, file.content_bytes + _GZIP_EXTRA_BYTES, report_progress)
        _check_content(part, file)
    except CutError:
        raise
    except RefusedError:
        part.write_bytes(b"")
        if not begun:
            raise
        _fetch_checked(address, file, part, report_progress)


def _reason(error: Exception) -> str:
    """Why a download failed, in one line."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"HTTP status {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(getattr(error.reason, "strerror", None) or error.reason)
    return str(error or type(error).__name__)


def _check_content(part: Path, file: PublishedFile) -> None:
    """Raises RefusedError unless the file's content, unpacked piece by piece, is the published one."""
    try:
        with part.open("rb") if file.is_hashed_packed else open_content(part) as content:
            digest, size = _digest(content, file.content_bytes)
    except (EOFError, OSError, zlib.error) as error:
        raise RefusedError(f"damaged compressed data: {error}") from error
    if digest != file.content_sha256:
        raise RefusedError(
            f"not the published content: SHA-256 {digest} of {size:,} bytes, "
            f"expected {file.content_sha256} of {file.content_bytes:,}"
        )


def _digest(content: IO[bytes] | io.BufferedIOBase, most_bytes: float = math.inf) -> tuple[str, int]:
    """SHA-256 (hexadecimal) and size of what is read; past ``most_bytes`` reading ends soon."""
    digest, size = hashlib.sha256(), 0
    while size <= most_bytes and (chunk := content.read(_CHUNK_BYTES)):
        size += len(chunk)
        digest.update(chunk)
    return digest.hexdigest(), size


def _move_into_place(parts: dict[Path, Path], folder: Path) -> None:
    for path, part in parts.items():
        part.replace(path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
