"""One file over HTTP: what of it is not there yet is asked for, and taken only where it can be the rest."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from email.message import Message
from io import FileIO
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from imgclf.errors import WorkFailed, printable

TIMEOUT_SECONDS = 30.0
MOST_TRIES = 5  # of a mirror, as long as each brings a part

_CHUNK_BYTES = 2**18
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

ReportProgress = Callable[[str, int, int], None]


class RefusedError(Exception):
    """What a mirror sent is not taken; the text says why."""


class CutError(RefusedError):
    """The connection ended before the file did; what came is right as far as it goes."""


def fetch(
    address: str, part: Path, name: str, most_bytes: int, report_progress: ReportProgress, *, has_digest: bool = True
) -> None:
    """Adds to ``part`` what it lacks; after a cut the rest is asked for, as long as each try brings something.

    Without a digest to compare the whole with, the rest must be that of the very file that was cut, by its ETag.
    Raises RefusedError, what urllib and the connection raise (HTTPException, OSError), and WorkFailed where the disk
    does not take what came.
    """
    _check_address(address)
    etags: list[str] = []
    for tries in range(1, MOST_TRIES + 1):
        before = part.stat().st_size
        try:
            return _fetch_rest(address, part, name, most_bytes, report_progress, etags)
        except (CutError, http.client.HTTPException, OSError):
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
                raise RefusedError(f"sends more than the {most_bytes:,} bytes that the file can have")
            _write(target, chunk, part)
            report_progress(name, done, declared)
        if done < declared:
            raise CutError(f"connection cut after {done:,} of {declared:,} bytes")
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
        part.write_bytes(b"")
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
        raise RefusedError("sends another part than it was asked for")
    if not is_part:
        target.truncate(0)
    return start if is_part else 0


def _declared_bytes(headers: Message) -> int:
    """The size that the answer declares, 0 where it declares none."""
    declared = headers.get("Content-Length") or "0"
    if not (declared.isascii() and declared.isdecimal() and len(declared) < 20):
        raise RefusedError(f"declares a Content-Length that is no number of bytes: {printable(declared[:40])}")
    return int(declared)


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise RefusedError(f"only https is followed; got {address}")


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


class _GuardedRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        try:
            _check_address(newurl)
        except RefusedError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
