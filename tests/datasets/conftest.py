"""Small data sets in MNIST's own file format, written by the format's description."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@dataclass(frozen=True)
class SmallMnist:
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]

    def idx_files(self) -> dict[str, bytes]:
        arrays = (self.train_images, self.train_labels, self.test_images, self.test_labels)
        return {name: idx_bytes(array) for name, array in zip(NAMES, arrays, strict=True)}

    def write(self, folder: Path, *, gzipped: bool = True) -> None:
        folder.mkdir(parents=True)
        for name, content in self.idx_files().items():
            if gzipped:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def to_idx() -> Callable[[NDArray[np.uint8]], bytes]:
    return idx_bytes


@pytest.fixture
def small() -> SmallMnist:
    numbers = np.random.default_rng(0)
    images = numbers.integers(0, 256, (250, 28, 28), np.uint8)
    labels = np.arange(250, dtype=np.uint8) % 10
    return SmallMnist(images[:200], labels[:200], images[200:], labels[200:])


@pytest.fixture(autouse=True)
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or fills the cache of whoever runs it."""
    home = tmp_path / "keras"
    monkeypatch.setenv("KERAS_HOME", str(home))
    return home


WriteImage = Callable[..., Path]


@pytest.fixture
def write_image() -> WriteImage:
    """``write_image(path, seed)`` writes an image of random pixels, of the format that the name's ending says."""

    def write(path: Path, seed: int = 0, *, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> Path:
        from PIL import Image

        shape = (*size, 3) if mode == "RGB" else size
        pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        return path

    return write
