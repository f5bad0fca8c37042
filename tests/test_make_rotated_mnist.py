"""The script that makes the data of spatial_transformer_rotated_mnist, on a small MNIST."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

import imgclf
from imgclf.datasets.base import DataPlaces
from imgclf.experiment.load import load_experiment

ROOT = Path(__file__).parent.parent
COUNTS = {"train": 40, "t10k": 20}


@pytest.fixture
def mnist(tmp_path: Path) -> dict[str, NDArray[np.uint8]]:
    """Smooth blobs as MNIST's files in ``tmp_path``; ten of each class in turn."""
    numbers, made = np.random.default_rng(0), {}
    (tmp_path / "mnist").mkdir()
    for part, count in COUNTS.items():
        rough = numbers.random((count, 28, 28)) * np.pad(np.ones((16, 16)), 6)
        images = (ndimage.gaussian_filter(rough, (0, 2, 2)) * 255).astype(np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        header = struct.pack(">4I", 0x803, count, 28, 28)
        (tmp_path / "mnist" / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        (tmp_path / "mnist" / f"{part}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2I", 0x801, count) + labels.tobytes()
        )
        made[part] = images
    return made


def test_the_config_loads_digits_that_the_script_turned_counter_clockwise(
    mnist: dict[str, NDArray[np.uint8]], tmp_path: Path
) -> None:
    script = ROOT / "scripts" / "make_rotated_mnist.py"
    command = [sys.executable, str(script), "--data-dir", str(tmp_path), "--seed", "5"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    overrides = ["dataset.validation_size=0"]
    config = ROOT / "configs" / "spatial_transformer_rotated_mnist.yaml"
    splits = load_experiment(str(config), overrides).experiment.dataset.load(DataPlaces(tmp_path), seed=0)
    angles = np.random.default_rng(5)
    for part, split in (("train", splits.train), ("t10k", splits.load_test())):
        found = split.pixels.take(np.arange(len(split)))[..., 0]
        assert len(split) == COUNTS[part]
        assert np.array_equal(split.labels[:, 0], np.arange(len(split)) % 10)
        drawn = angles.uniform(-90, 90, len(split))
        for image, angle, turned in zip(mnist[part], drawn, found, strict=True):
            wanted = ndimage.rotate(image.astype(float), angle, reshape=False, order=1)
            assert np.abs(turned - wanted).max() <= 4  # OpenCV knows places to a 32nd of a pixel


@pytest.mark.slow  # trains a run, and a process imports TensorFlow
@pytest.mark.usefixtures("mnist")
def test_what_an_untrained_transformer_leaves_of_the_angles_is_all_of_them(tmp_path: Path) -> None:
    config = tmp_path / "untrained.yaml"
    config.write_text(
        "dataset: {name: mnist, validation_size: 0}\nmodel: {name: spatial_transformer, transform: rotation}\n"
        "training: {steps: 1, epochs: null, batch_size: 8, optimizer: {name: sgd, learning_rate: 1e-30}}\n"
    )
    run = imgclf.train(config, data_dir=tmp_path, runs_dir=tmp_path / "runs").run.path
    script = ROOT / "scripts" / "measure_rotation.py"
    command = [sys.executable, str(script), str(run), "--data-dir", str(tmp_path), "--degrees", "60", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    drawn, digits = np.random.default_rng(3).uniform(-60, 60, 20), np.arange(20) % 10
    centred = np.concatenate([drawn[digits == digit] - drawn[digits == digit].mean() for digit in range(10)])
    assert done.stdout.splitlines()[-1].split() == ["all", "20", f"{centred.std():.1f}", f"{centred.std():.1f}"]
