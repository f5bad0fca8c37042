from __future__ import annotations

import gzip
import hashlib
import resource
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from imgclf.datasets.published import fetching as module
from imgclf.datasets.published.download import Download, download_files, download_unpublished
from imgclf.datasets.published.whereabouts import PublishedFile
from imgclf.errors import WorkFailed

CONTENT = {f"file{i}.gz": np.random.default_rng(i).integers(0, 9, 300_000, np.uint8).tobytes() for i in range(2)}
PACKED = {name: gzip.compress(content) for name, content in CONTENT.items()}
FILES = [PublishedFile(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in CONTENT.items()]

Answer = Callable[[BaseHTTPRequestHandler, str], None]


def good(request: BaseHTTPRequestHandler, name: str) -> None:
    send(request, PACKED[name])


def unpacked(request: BaseHTTPRequestHandler, name: str) -> None:
    send(request, CONTENT[name])


def absent(request: BaseHTTPRequestHandler, name: str) -> None:  # noqa: ARG001
    request.send_error(404)


def only_first(request: BaseHTTPRequestHandler, name: str) -> None:
    good(request, name) if name == "file0.gz" else absent(request, name)


def wrong(request: BaseHTTPRequestHandler, name: str) -> None:
    send(request, gzip.compress(b"x" + CONTENT[name][1:]))


def no_gzip(request: BaseHTTPRequestHandler, name: str) -> None:
    send(request, PACKED[name][:-30] + bytes(30))


def cut(request: BaseHTTPRequestHandler, name: str) -> None:
    send(request, PACKED[name][: len(PACKED[name]) // 2], length=len(PACKED[name]))


def endless(request: BaseHTTPRequestHandler, name: str) -> None:  # noqa: ARG001
    send(request, bytes(10_000_000), length=None)


def to_plain_http(request: BaseHTTPRequestHandler, name: str) -> None:
    request.send_response(302)
    request.send_header("Location", f"http://mirror.example/{name}")
    request.end_headers()


def to_good(request: BaseHTTPRequestHandler, name: str) -> None:
    request.send_response(302)
    request.send_header("Location", f"/good/{name}")
    request.end_headers()


def of_no_length(request: BaseHTTPRequestHandler, name: str) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "12 apples")
    request.end_headers()
    request.wfile.write(PACKED[name])


def cut_once(request: BaseHTTPRequestHandler, name: str) -> None:
    """Half of the file, and what else is asked for, as servers do."""
    wanted = request.headers.get("Range")
    packed = PACKED[name]
    if wanted is None:
        send(request, packed[: len(packed) // 2], length=len(packed), etag='"v1"')
        return
    start = int(wanted.removeprefix("bytes=").removesuffix("-"))
    if start >= len(packed):
        request.send_error(416)
        return
    request.send_response(206)
    request.send_header("Content-Length", str(len(packed) - start))
    request.send_header("Content-Range", f"bytes {start}-{len(packed) - 1}/{len(packed)}")
    request.end_headers()
    request.wfile.write(packed[start:])


def deaf_to_ranges(request: BaseHTTPRequestHandler, name: str) -> None:
    whole = request.headers.get("Range") is not None
    send(request, PACKED[name] if whole else PACKED[name][:1000], length=len(PACKED[name]))


def of_another_part(request: BaseHTTPRequestHandler, name: str) -> None:
    if request.headers.get("Range") is None:
        cut(request, name)
        return
    request.send_response(206)
    request.send_header("Content-Range", "bytes 7-8/9")
    request.end_headers()


def stalled(request: BaseHTTPRequestHandler, name: str) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(PACKED[name])))
    request.end_headers()
    request.wfile.write(PACKED[name][:1000])
    request.wfile.flush()
    time.sleep(1)


RANGED = (cut_once, deaf_to_ranges, of_another_part, stalled)
ANSWERS = (
    *RANGED,
    of_no_length,
    good,
    unpacked,
    absent,
    only_first,
    wrong,
    no_gzip,
    cut,
    endless,
    to_plain_http,
    to_good,
)


def send(request: BaseHTTPRequestHandler, body: bytes, length: int | None = -1, etag: str | None = None) -> None:
    request.send_response(200)
    if etag is not None:
        request.send_header("ETag", etag)
    if length is not None:
        request.send_header("Content-Length", str(len(body) if length < 0 else length))
    request.end_headers()
    try:
        request.wfile.write(body)
    except OSError:
        request.close_connection = True  # the reader had enough


asked: list[tuple[str, str | None, str | None]] = []  # path, Range and If-Range of each request to the server


class Mirror(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked.append((self.path, self.headers.get("Range"), self.headers.get("If-Range")))
        kind, name = self.path.strip("/").split("/")
        next(answer for answer in ANSWERS if answer.__name__ == kind)(self, name)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def fetch(folder: Path, *mirrors: str) -> Download:
    return download_files(FILES, mirrors, folder, lambda what, done, total: None)  # noqa: ARG005


@pytest.mark.parametrize("kind", ["good", "to_good"])
def test_files_arrive_whole_with_progress(tmp_path: Path, server: str, kind: str) -> None:
    seen: list[tuple[str, int, int]] = []
    folder = tmp_path / "data" / "mnist"
    download = download_files(FILES, [f"{server}/{kind}/"], folder, lambda *progress: seen.append(progress))
    assert download == Download(True, (f"{server}/{kind}/",), ())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == PACKED
    for name, packed in PACKED.items():
        counts = [(done, total) for what, done, total in seen if what == name]
        assert counts == sorted(counts)
        assert counts[-1] == (len(packed), len(packed))


def test_a_file_that_the_mirror_unpacked_is_taken_by_its_content(tmp_path: Path, server: str) -> None:
    assert fetch(tmp_path, f"{server}/unpacked/").complete
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == CONTENT


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("absent", "HTTP status 404 Not Found"),
        ("wrong", "not the published content: SHA-256 "),
        ("no_gzip", "damaged compressed data: "),
        ("cut", "connection cut after "),
        ("endless", "sends more than the 365,536 bytes that the file can have"),
        ("of_no_length", "declares a Content-Length that is no number of bytes: 12 apples"),
        ("to_plain_http", "only https is followed; got http://mirror.example/file0.gz"),
    ],
)
def test_a_failing_mirror_is_told_and_the_next_one_asked(tmp_path: Path, server: str, kind: str, problem: str) -> None:
    bad, second = f"{server}/{kind}/", f"{server}/good/"
    download = fetch(tmp_path, bad, second)
    assert download.complete
    assert download.mirrors == (second,)
    assert len(download.failures) == 1  # a mirror that failed is asked last from then on
    assert download.failures[0].startswith(f"{bad}file0.gz: {problem}")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == PACKED


def test_what_was_never_published_with_a_digest_gets_one_beside_it(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(hashlib, "file_digest", raising=False)  # Python 3.10 has none
    path = tmp_path / "file0.gz"
    digest = download_unpublished(f"{server}/good/file0.gz", path, 10**6, Path.stat, lambda what, done, total: None)  # noqa: ARG005
    assert digest == hashlib.sha256(PACKED["file0.gz"]).hexdigest()
    assert path.read_bytes() == PACKED["file0.gz"]
    assert (tmp_path / "file0.gz.sha256").read_text() == f"{digest}  file0.gz\n"


def test_after_a_cut_the_rest_alone_is_asked_for(tmp_path: Path, server: str) -> None:
    assert fetch(tmp_path, f"{server}/cut_once/") == Download(True, (f"{server}/cut_once/",), ())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == PACKED
    half = len(PACKED["file0.gz"]) // 2
    assert asked[:2] == [("/cut_once/file0.gz", None, None), ("/cut_once/file0.gz", f"bytes={half}-", '"v1"')]


def test_a_later_download_goes_on_where_an_earlier_one_was_cut(tmp_path: Path, server: str) -> None:
    assert not fetch(tmp_path, f"{server}/cut/").complete
    (part,) = tmp_path.iterdir()
    begun = part.stat().st_size
    assert part.read_bytes() == PACKED["file0.gz"][:begun]
    asked.clear()
    assert fetch(tmp_path, f"{server}/cut_once/").complete
    assert asked[0] == ("/cut_once/file0.gz", f"bytes={begun}-", None)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == PACKED


@pytest.mark.parametrize("begun", [b"of another file", PACKED["file0.gz"] + b"and more", bytes(10**6)])
def test_what_was_begun_and_is_wrong_is_fetched_from_its_beginning(tmp_path: Path, server: str, begun: bytes) -> None:
    (tmp_path / ".file0.gz.part").write_bytes(begun)
    assert fetch(tmp_path, f"{server}/cut_once/").complete
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == PACKED


def test_a_mirror_that_knows_no_parts_is_heard_from_the_beginning(tmp_path: Path, server: str) -> None:
    assert fetch(tmp_path, f"{server}/deaf_to_ranges/").complete
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == PACKED


def test_a_part_that_was_not_asked_for_is_refused(tmp_path: Path, server: str) -> None:
    download = fetch(tmp_path, f"{server}/of_another_part/")
    assert "sends another part than it was asked for" in download.failures[0]
    assert list(tmp_path.iterdir()) == []


def test_a_mirror_that_stalls_is_left(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(module, "MOST_TRIES", 1)
    download = fetch(tmp_path, f"{server}/stalled/", f"{server}/good/")
    assert download.complete
    assert download.failures == (f"{server}/stalled/file0.gz: timed out",)


def test_two_downloads_at_once_do_not_share_a_part(tmp_path: Path, server: str) -> None:
    def begin_another(what: str, done: int, total: int) -> None:  # noqa: ARG001
        if not (tmp_path / what).exists():
            assert fetch(tmp_path, f"{server}/good/").complete

    assert download_files(FILES, [f"{server}/good/"], tmp_path, begin_another).complete
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == PACKED


def test_without_a_published_digest_only_the_very_same_file_is_gone_on_with(tmp_path: Path, server: str) -> None:
    path = tmp_path / "file0.gz"
    download_unpublished(f"{server}/cut_once/file0.gz", path, 10**6, Path.stat, lambda what, done, total: None)  # noqa: ARG005
    assert path.read_bytes() == PACKED["file0.gz"]
    assert asked[1][2] == '"v1"'
    with pytest.raises(WorkFailed, match="connection cut after"):
        download_unpublished(f"{server}/cut/file1.gz", path, 10**6, Path.stat, lambda what, done, total: None)  # noqa: ARG005
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file0.gz", "file0.gz.sha256"]


@pytest.mark.parametrize("kind", ["absent", "only_first", "wrong", "endless"])
def test_all_files_or_none_are_left_behind(tmp_path: Path, server: str, kind: str) -> None:
    download = fetch(tmp_path, f"{server}/{kind}/", f"{server}/absent/")
    assert not download.complete
    assert len(download.failures) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_mirror_that_nobody_runs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    download = fetch(tmp_path, "http://127.0.0.1:1/")
    assert download.failures == ("http://127.0.0.1:1/file0.gz: Connection refused",)


@pytest.mark.parametrize("address", ["http://mirror.example/", "ftp://mirror.example/", "file:///etc/"])
def test_only_https_is_asked(tmp_path: Path, address: str) -> None:
    assert fetch(tmp_path, address).failures == (f"{address}file0.gz: only https is followed; got {address}file0.gz",)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    download = fetch(tmp_path / "taken" / "mnist", "https://mirror.example/")
    assert not download.complete
    assert download.failures == (f"{tmp_path}/taken/mnist: cannot be written: Not a directory",)


def test_an_interruption_leaves_no_more_than_what_is_gone_on_with(tmp_path: Path, server: str) -> None:
    def interrupt(what: str, done: int, total: int) -> None:  # noqa: ARG001
        if what == "file1.gz":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download_files(FILES, [f"{server}/good/"], tmp_path, interrupt)
    assert [path.name for path in tmp_path.iterdir()] == [".file1.gz.part"]


def test_a_disk_that_takes_no_more_ends_the_work(tmp_path: Path, server: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(WorkFailed, match=r"file0.gz.*.part: cannot be written: File too large"):
            fetch(tmp_path, f"{server}/good/")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_the_place_of_a_part_is_not_followed(tmp_path: Path, server: str) -> None:
    (tmp_path / "precious").write_text("as it was")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / ".file0.gz.part").symlink_to(tmp_path / "precious")
    assert fetch(tmp_path / "data", f"{server}/good/").complete
    assert (tmp_path / "precious").read_text() == "as it was"
