"""Downloads of published files: from one mirror after the other, checked by content, all files or none."""

from __future__ import annotations

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
from dataclasses import dataclass
from email.message import Message
from io import FileIO
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from imgclf.datasets.published.whereabouts import PublishedFile
from imgclf.datasets.stored.strict import open_content
from imgclf.errors import ImgclfError, WorkFailed, printable

TIMEOUT_SECONDS = 30.0

_CHUNK_BYTES = 2**18
_GZIP_EXTRA_BYTES = 2**16  # what gzip can add at most to a file of these sizes that it cannot shrink
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

ReportProgress = Callable[[str, int, int], None]


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
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            part = parts[folder / file.name] = folder / f".{file.name}.{secrets.token_hex(4)}.part"
            part.touch(exist_ok=False)
            mirror = _fetch_from_any(mirrors, file, part, failures, report_progress)
            if mirror is None:
                return Download(False, tuple(used), tuple(failures))
            used += [] if mirror in used else [mirror]
        _move_into_place(parts, folder)
    except OSError as error:
        failures.append(f"{folder}: cannot be written: {error.strerror or error}")
        return Download(False, tuple(used), tuple(failures))
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return Download(True, tuple(used), tuple(failures))


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
        _fetch(address, part, path.name, most_bytes, report_progress)
        check(part)
        with part.open("rb") as content:
            digest, _ = _digest(content)
        digest_part.write_text(f"{digest}  {path.name}\n", encoding="utf-8")
        _move_into_place({path.with_name(f"{path.name}.sha256"): digest_part, path: part}, path.parent)
    except WorkFailed:
        raise
    except ImgclfError as error:
        raise WorkFailed(f"{address}: {str(error).removeprefix(f'{part}: ')}") from error
    except (_RefusedError, http.client.HTTPException, OSError) as error:
        raise WorkFailed(f"{address}: {_reason(error)}") from error
    finally:
        part.unlink(missing_ok=True)
        digest_part.unlink(missing_ok=True)
    return digest


class _RefusedError(Exception):
    """What a mirror sent is not taken; the text says why."""


class _GuardedRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        try:
            _check_address(newurl)
        except _RefusedError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _fetch_from_any(
    mirrors: Sequence[str], file: PublishedFile, part: Path, failures: list[str], report_progress: ReportProgress
) -> str | None:
    """The mirror that gave the file; those that failed for an earlier file are asked last."""
    failed = {mirror for mirror in mirrors if any(failure.startswith(mirror) for failure in failures)}
    for mirror in sorted(mirrors, key=failed.__contains__):
        try:
            _fetch(mirror + file.name, part, file.name, file.content_bytes + _GZIP_EXTRA_BYTES, report_progress)
            _check_content(part, file)
        except (_RefusedError, http.client.HTTPException, OSError) as error:
            failures.append(f"{mirror}{file.name}: {_reason(error)}")
        else:
            return mirror
    return None


def _reason(error: Exception) -> str:
    """Why a download failed, in one line."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"HTTP status {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(getattr(error.reason, "strerror", None) or error.reason)
    return str(error or type(error).__name__)


def _fetch(address: str, part: Path, name: str, most_bytes: int, report_progress: ReportProgress) -> None:
    _check_address(address)
    request = urllib.request.Request(address, headers={"User-Agent": "imgclf"})
    opener = urllib.request.build_opener(_GuardedRedirects)
    with opener.open(request, timeout=TIMEOUT_SECONDS) as response, part.open("wb", buffering=0) as target:
        declared = _declared_bytes(response.headers)
        done = 0
        while chunk := response.read(_CHUNK_BYTES):
            done += len(chunk)
            if done > most_bytes:
                raise _RefusedError(f"sends more than the {most_bytes:,} bytes that the file can have")
            _write(target, chunk, part)
            report_progress(name, done, declared)
        if done < declared:
            raise _RefusedError(f"connection cut after {done:,} of {declared:,} bytes")
        _write_to_disk(target, part)


def _declared_bytes(headers: Message) -> int:
    """The size that the answer declares, 0 where it declares none."""
    declared = headers.get("Content-Length") or "0"
    if not (declared.isascii() and declared.isdecimal() and len(declared) < 20):
        raise _RefusedError(f"declares a Content-Length that is no number of bytes: {printable(declared[:40])}")
    return int(declared)


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise _RefusedError(f"only https is followed; got {address}")


def _check_content(part: Path, file: PublishedFile) -> None:
    """Raises _RefusedError unless the file's content, unpacked piece by piece, is the published one."""
    try:
        with part.open("rb") if file.is_hashed_packed else open_content(part) as content:
            digest, size = _digest(content, file.content_bytes)
    except (EOFError, OSError, zlib.error) as error:
        raise _RefusedError(f"damaged compressed data: {error}") from error
    if digest != file.content_sha256:
        raise _RefusedError(
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


def _write(target: FileIO, chunk: bytes, part: Path) -> None:
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[target.write(rest) :]
    except OSError as error:
        raise WorkFailed(f"{part}: cannot be written: {error.strerror}") from error


def _write_to_disk(target: FileIO, part: Path) -> None:
    try:
        os.fsync(target.fileno())
    except OSError as error:
        raise WorkFailed(f"{part}: cannot be written: {error.strerror}") from error


def _move_into_place(parts: dict[Path, Path], folder: Path) -> None:
    for path, part in parts.items():
        part.replace(path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
