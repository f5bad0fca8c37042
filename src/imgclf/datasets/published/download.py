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
from email.message import Message
from io import FileIO
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from imgclf.datasets.published.whereabouts import PublishedFile
from imgclf.datasets.stored.strict import open_content
from imgclf.errors import ImgclfError, WorkFailed, printable

TIMEOUT_SECONDS = 30.0
MOST_TRIES = 5  # of a mirror, as long as each brings a part

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
        _fetch(address, part, path.name, most_bytes, report_progress, has_digest=False)
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


class _CutError(_RefusedError):
    """The connection ended before the file did; what came is right as far as it goes."""


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
            _fetch_checked(mirror + file.name, file, part, report_progress)
        except WorkFailed:
            part.unlink(missing_ok=True)
            raise
        except (_RefusedError, http.client.HTTPException, OSError) as error:
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
        _fetch(address, part, file.name, file.content_bytes + _GZIP_EXTRA_BYTES, report_progress)
        _check_content(part, file)
    except _CutError:
        raise
    except _RefusedError:
        _empty(part)
        if not begun:
            raise
        _fetch_checked(address, file, part, report_progress)


def _empty(part: Path) -> None:
    part.write_bytes(b"")


def _reason(error: Exception) -> str:
    """Why a download failed, in one line."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"HTTP status {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(getattr(error.reason, "strerror", None) or error.reason)
    return str(error or type(error).__name__)


def _fetch(
    address: str, part: Path, name: str, most_bytes: int, report_progress: ReportProgress, *, has_digest: bool = True
) -> None:
    """Adds to ``part`` what it lacks; after a cut the rest is asked for, as long as each try brings something.

    Without a digest to compare the whole with, the rest must be that of the very file that was cut, by its ETag.
    """
    _check_address(address)
    etags: list[str] = []
    for tries in range(1, MOST_TRIES + 1):
        before = part.stat().st_size
        try:
            return _fetch_rest(address, part, name, most_bytes, report_progress, etags)
        except (_CutError, http.client.HTTPException, OSError):
            if tries == MOST_TRIES or part.stat().st_size in (0, before) or not (has_digest or etags):
                raise
    raise AssertionError("the last try returns or raises")


def _fetch_rest(
    address: str, part: Path, name: str, most_bytes: int, report_progress: ReportProgress, etags: list[str]
) -> None:
    """``etags`` holds the ETag of the answer that began the file, where that was in this process and had one."""
    with _open_rest(address, part, etags) as response, part.open("ab", buffering=0) as target:
        done = _begin(response, target)
        if done == 0:
            etags[:] = _strong_etag(response.headers)
        declared = done + _declared_bytes(response.headers)
        declared = 0 if declared == done else declared
        while chunk := response.read(_CHUNK_BYTES):
            done += len(chunk)
            if done > most_bytes:
                raise _RefusedError(f"sends more than the {most_bytes:,} bytes that the file can have")
            _write(target, chunk, part)
            report_progress(name, done, declared)
        if done < declared:
            raise _CutError(f"connection cut after {done:,} of {declared:,} bytes")
        _write_to_disk(target, part)


def _open_rest(address: str, part: Path, etags: Sequence[str]) -> http.client.HTTPResponse:
    """The answer of a mirror that was asked for what ``part`` lacks. Of what can't be, the whole is asked for."""
    start = part.stat().st_size
    headers = {"User-Agent": "imgclf", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    if start and etags:
        headers["If-Range"] = etags[0]
    request = urllib.request.Request(address, headers=headers)
    opener = urllib.request.build_opener(_GuardedRedirects)
    try:
        response: http.client.HTTPResponse = opener.open(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not start:
            raise
        error.close()
        _empty(part)
        return _open_rest(address, part, etags)
    return response


def _strong_etag(headers: Message) -> list[str]:
    etag = headers.get("ETag") or ""
    return [etag] if etag.startswith('"') and etag.isascii() and etag.isprintable() else []


def _begin(response: http.client.HTTPResponse, target: FileIO) -> int:
    """How many bytes are there before those of the answer; a mirror may send the whole though a part was asked for."""
    start = target.tell()
    is_part = response.status == http.HTTPStatus.PARTIAL_CONTENT
    if is_part and not (response.headers.get("Content-Range") or "").startswith(f"bytes {start}-"):
        raise _RefusedError("sends another part than it was asked for")
    if not is_part:
        target.truncate(0)
    return start if is_part else 0


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
