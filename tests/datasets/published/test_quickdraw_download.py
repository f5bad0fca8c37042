from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from numpy.typing import NDArray

from imgclf.datasets.base import DataPlaces
from imgclf.datasets.published.quickdraw_download import download_quickdraw
from imgclf.datasets.quickdraw import QuickDraw
from imgclf.errors import ImgclfError, WorkFailed


def npy(array: NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


DRAWINGS = np.random.default_rng(0).integers(0, 256, (400, 784), np.uint8)
SERVED = {
    "/alarm clock.npy": npy(DRAWINGS[:150]),
    "/cat.npy": npy(DRAWINGS[150:]),
    "/wrong.npy": npy(np.zeros((9, 9), np.uint8)),
    "/cut.npy": npy(DRAWINGS)[:5000],
    "/page.npy": b"<html>not here</html>",
    "/short.npy": npy(DRAWINGS),
}


class Bucket(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = SERVED.get(unquote(self.path))
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + (9 if "short" in self.path else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()
        thread.join()


def fetch(classes: list[str], folder: Path, address: str) -> list[str]:
    said: list[str] = []
    download_quickdraw(classes, folder, lambda what, done, total: None, said.append, address)  # noqa: ARG005
    return said


def test_classes_arrive_with_their_digests_and_load(tmp_path: Path, address: str) -> None:
    folder = tmp_path / "quickdraw"
    said = fetch(["alarm clock", "cat", "cat"], folder, address)
    names = ["full_numpy_bitmap_alarm clock.npy", "full_numpy_bitmap_cat.npy"]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*names, *(f"{name}.sha256" for name in names)])
    for name, key in zip(names, SERVED, strict=False):
        content = (folder / name).read_bytes()
        assert content == SERVED[key]
        digest = hashlib.sha256(content).hexdigest()
        assert (folder / f"{name}.sha256").read_text() == f"{digest}  {name}\n"
        assert any(digest in line and "Google publishes none" in line for line in said)
    assert said[0] == f"{folder}/{names[0]}: 150 drawings"
    splits = QuickDraw(name="quickdraw").load(DataPlaces(tmp_path), 0)
    assert splits.targets[0].class_names == ("alarm clock", "cat")


def test_what_is_there_already_is_not_fetched_again(tmp_path: Path) -> None:
    np.save(tmp_path / "cat.npy", DRAWINGS)
    said = fetch(["cat"], tmp_path, "http://127.0.0.1:1/")
    assert said == [f"{tmp_path}/cat.npy: is there already, 400 drawings"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("wrong", r"wrong\.npy: must hold uint8 .*got uint8 \(9, 9\)"),
        ("cut", r"cut\.npy: must have 313,728 bytes .*got 5,000"),
        ("page", r"page\.npy: not a numpy array"),
        ("short", r"short\.npy: connection cut after"),
        ("dragon egg", r"dragon%20egg\.npy: HTTP status 404"),
    ],
)
def test_what_is_no_file_of_drawings_is_told_and_leaves_nothing(
    tmp_path: Path, address: str, name: str, problem: str
) -> None:
    with pytest.raises(WorkFailed, match=problem) as caught:
        fetch([name], tmp_path, address)
    assert list(tmp_path.iterdir()) == []
    assert ("categories.txt" in str(caught.value.hint)) == (name == "dragon egg")


@pytest.mark.parametrize("name", ["../cat", "a/b", "", ".cat", "cat\n", "x" * 99])
def test_what_can_be_no_class_is_refused_before_anything_is_fetched(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImgclfError, match="can be no class"):
        fetch(["cat", name], tmp_path, "http://127.0.0.1:1/")


def test_only_https_is_asked(tmp_path: Path) -> None:
    with pytest.raises(WorkFailed, match=r"only https is followed; got http://mirror\.example/cat\.npy"):
        fetch(["cat"], tmp_path, "http://mirror.example/")


def test_a_file_larger_than_the_limit_is_given_up(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgclf.datasets.published.quickdraw_download.MOST_BYTES", 10_000)
    with pytest.raises(WorkFailed, match="sends more than the 10,000 bytes"):
        fetch(["cat"], tmp_path, address)
    assert list(tmp_path.iterdir()) == []
