from __future__ import annotations

import gzip
import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from imgclf.datasets.base import DataPlaces
from imgclf.datasets.fashion_mnist import FASHION_MNIST, FashionMnist
from imgclf.datasets.mnist import MNIST, Mnist
from imgclf.datasets.published.idx_dataset import load_idx_dataset
from imgclf.errors import ImgclfError

# ruff: noqa: ANN001 (``small`` is of a class of conftest.py)
NOBODY = "http://127.0.0.1:1/"
OFFLINE_MNIST = replace(MNIST, mirrors=(NOBODY,))
OFFLINE_FASHION = replace(FASHION_MNIST, mirrors=(NOBODY,), system_folders=())


def held_out(validation_size: float) -> Mnist:
    return Mnist(name="mnist", validation_size=validation_size)


@pytest.mark.parametrize("settings", [Mnist(name="mnist"), FashionMnist(name="fashion_mnist", validation_size=20)])
def test_a_folder_of_ones_own_is_loaded(tmp_path: Path, small, settings: Mnist | FashionMnist) -> None:
    small.write(tmp_path / settings.name)
    splits = settings.load(DataPlaces(tmp_path), seed=1)
    assert splits.validation is not None
    assert (len(splits.train), len(splits.validation), splits.test_images) == (180, 20, 50)
    assert np.bincount(splits.validation.labels[:, 0]).tolist() == [2] * 10
    assert splits.train.pixels.image_shape == settings.known_shape() == (28, 28, 1)
    assert splits.targets == settings.known_targets()
    test = splits.load_test()
    assert np.array_equal(test.pixels.take(np.arange(50))[..., 0], small.test_images)
    assert np.array_equal(test.labels[:, 0], small.test_labels)
    assert test.labels.dtype == np.int32
    (note,) = splits.notes
    assert "\n" not in note
    assert f"from {tmp_path / settings.name} (train-images-idx3-ubyte.gz, " in note


def test_no_pixel_is_copied_for_validation(tmp_path: Path, small) -> None:
    small.write(tmp_path / "mnist")
    splits = load_idx_dataset(OFFLINE_MNIST, held_out(0.1), DataPlaces(tmp_path), seed=1)
    assert splits.validation is not None
    assert splits.train.pixels.pixels is splits.validation.pixels.pixels  # type: ignore[attr-defined]


def test_keras_cache_is_used_for_both(tmp_path: Path, small, keras_home: Path) -> None:
    small.write(keras_home / "datasets" / "fashion-mnist")
    arrays = {"x_train": small.train_images, "y_train": small.train_labels}
    np.savez(keras_home / "datasets" / "mnist.npz", **arrays, x_test=small.test_images, y_test=small.test_labels)
    mnist = load_idx_dataset(OFFLINE_MNIST, held_out(0), DataPlaces(tmp_path), seed=0)
    fashion = load_idx_dataset(OFFLINE_FASHION, held_out(0), DataPlaces(tmp_path), seed=0)
    assert mnist.notes == (f"MNIST from {keras_home}/datasets/mnist.npz",)
    assert fashion.notes[0].startswith(f"Fashion-MNIST from {keras_home}/datasets/fashion-mnist (train-images")
    assert mnist.fingerprint == fashion.fingerprint
    assert np.array_equal(mnist.load_test().labels[:, 0], small.test_labels)


def test_debians_folder_is_used_and_a_broken_cache_before_it_is_told(tmp_path: Path, small, keras_home: Path) -> None:
    cache = keras_home / "datasets" / "fashion-mnist"
    small.write(cache)
    (cache / "t10k-images-idx3-ubyte.gz").unlink()
    small.write(tmp_path / "usr")
    fashion = replace(OFFLINE_FASHION, system_folders=(tmp_path / "usr",))
    notes = load_idx_dataset(fashion, held_out(0), DataPlaces(tmp_path), seed=0).notes
    assert notes[0].startswith(f"Fashion-MNIST from {tmp_path / 'usr'} (")
    assert notes[1] == f"Fashion-MNIST: passed over {cache}: incomplete: lacks t10k-images-idx3-ubyte (plain or .gz)"
    assert FASHION_MNIST.system_folders == (Path("/usr/share/datasets/fashion-mnist"),)


def test_nowhere_names_every_place_every_file_and_every_mirror(tmp_path: Path, keras_home: Path) -> None:
    fashion = replace(OFFLINE_FASHION, mirrors=(NOBODY, "https://127.0.0.1:2/"), system_folders=(tmp_path / "usr",))
    with pytest.raises(ImgclfError) as caught:
        load_idx_dataset(fashion, held_out(0.1), DataPlaces(tmp_path), seed=0)
    assert str(caught.value).splitlines() == [
        "Fashion-MNIST: found in none of its places, and could not be downloaded",
        f"  looked in {tmp_path}/fashion_mnist: not there",
        f"  looked in {tmp_path}/fashion-mnist: not there",
        f"  looked in {keras_home}/datasets/fashion-mnist: not there",
        f"  looked in {tmp_path}/usr: not there",
        "  for the files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, "
        "t10k-labels-idx1-ubyte (each plain or .gz)",
        "  tried http://127.0.0.1:1/train-images-idx3-ubyte.gz: Connection refused",
        "  tried https://127.0.0.1:2/train-images-idx3-ubyte.gz: Connection refused",
    ]
    assert "apt-get install dataset-fashion-mnist" in str(caught.value.hint)
    assert str(tmp_path / "fashion_mnist") in str(caught.value.hint)


def test_what_is_nowhere_is_downloaded_once(
    tmp_path: Path,
    small,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = small.idx_files()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    small.write(tmp_path / "served")
    digests = tuple(hashlib.sha256(data).hexdigest() for data in content.values())
    sizes = tuple(len(data) for data in content.values())
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        mirror = f"http://127.0.0.1:{server.server_port}/"
        mnist = replace(MNIST, mirrors=(mirror,), content_sha256=digests, content_bytes=sizes)
        first = load_idx_dataset(mnist, held_out(0.1), DataPlaces(tmp_path / "data"), seed=0)
        server.shutdown()
        thread.join()
    again = load_idx_dataset(OFFLINE_MNIST, held_out(0.1), DataPlaces(tmp_path / "data"), seed=0)
    assert first.notes == (*again.notes, f"MNIST: downloaded from {mirror}")
    assert first.fingerprint == again.fingerprint


def test_a_missing_test_file_shows_before_training(tmp_path: Path, small) -> None:
    small.write(tmp_path / "mnist")
    (tmp_path / "mnist" / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(ImgclfError, match="incomplete: lacks t10k-images-idx3-ubyte"):
        load_idx_dataset(OFFLINE_MNIST, held_out(0.1), DataPlaces(tmp_path), seed=0)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte"])
def test_images_of_another_size_show_before_training(
    tmp_path: Path, small, to_idx: Callable[[NDArray[np.uint8]], bytes], name: str
) -> None:
    small.write(tmp_path / "mnist")
    images = small.train_images if name.startswith("train") else small.test_images
    (tmp_path / "mnist" / f"{name}.gz").write_bytes(gzip.compress(to_idx(images[:, 1:, 4:])))
    problem = "images of MNIST must be 28 x 28 pixels; got 27 x 24 in the t"
    with pytest.raises(ImgclfError, match=problem):
        load_idx_dataset(OFFLINE_MNIST, held_out(0.1), DataPlaces(tmp_path), seed=0)


def test_the_test_files_data_are_read_when_they_are_asked_for(tmp_path: Path, small) -> None:
    small.write(tmp_path / "mnist", gzipped=False)
    path = tmp_path / "mnist" / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    splits = load_idx_dataset(OFFLINE_MNIST, held_out(0.1), DataPlaces(tmp_path), seed=0)
    with pytest.raises(ImgclfError, match=f"{re.escape(str(path))}: cut short"):
        splits.load_test()
