"""The real data sets, where they are: published counts, mean pixels, and the digests that downloads must have."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from imgclf.datasets.base import ArrayPixels, DataPlaces, Splits
from imgclf.datasets.fashion_mnist import FASHION_MNIST, FashionMnist
from imgclf.datasets.mnist import MNIST, Mnist
from imgclf.datasets.published.idx_facts import IdxDataset
from imgclf.datasets.published.idx_sources import IDX_FILES
from imgclf.datasets.stored.strict import open_content

# Slow because they need the real data, which the project does not carry.
pytestmark = pytest.mark.slow

MNIST_TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
MNIST_TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def data_dir(folder: str) -> Path:
    data = Path(os.environ.get("IMGCLF_DATA_DIR") or Path(__file__).parents[2] / "data")
    if not list((data / folder).glob("train-images*")):
        pytest.skip(f"needs the real files in {data / folder} (IMGCLF_DATA_DIR names another data folder)")
    return data


def mean_pixel(splits: Splits) -> float:
    pixels = splits.train.pixels
    assert isinstance(pixels, ArrayPixels)
    return float(pixels.array.mean())


def check_digests(dataset: IdxDataset, folder: Path) -> None:
    for name, size, published in zip(IDX_FILES, dataset.content_bytes, dataset.content_sha256, strict=True):
        path = next(path for path in folder.iterdir() if path.name in (name, f"{name}.gz"))
        with open_content(path) as content:
            data = content.read()
        assert hashlib.sha256(data).hexdigest() == published
        assert len(data) == size


def test_mnist_is_the_published_one() -> None:
    data = data_dir("mnist")
    check_digests(MNIST, data / "mnist")
    splits = Mnist(name="mnist", validation_size=0).load(DataPlaces(data), seed=0)
    assert splits.train.pixels.image_shape == (28, 28, 1)
    assert np.bincount(splits.train.labels[:, 0]).tolist() == MNIST_TRAIN_COUNTS
    assert mean_pixel(splits) == pytest.approx(0.1307 * 255, abs=0.00005 * 255)
    assert splits.test_images == 10_000
    assert np.bincount(splits.load_test().labels[:, 0]).tolist() == MNIST_TEST_COUNTS


def test_fashion_mnist_is_the_published_one() -> None:
    data = data_dir("fashion_mnist")
    check_digests(FASHION_MNIST, data / "fashion_mnist")
    splits = FashionMnist(name="fashion_mnist", validation_size=0).load(DataPlaces(data), seed=0)
    assert np.bincount(splits.train.labels[:, 0]).tolist() == [6000] * 10
    assert mean_pixel(splits) == pytest.approx(0.2860 * 255, abs=0.00005 * 255)
    assert np.bincount(splits.load_test().labels[:, 0]).tolist() == [1000] * 10
    # The first training image is an ankle boot, the first test image too (the data set's own README shows them).
    assert splits.targets[0].class_names[int(splits.train.labels[0, 0])] == "Ankle boot"
