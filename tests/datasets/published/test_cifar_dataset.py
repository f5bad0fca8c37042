"""CIFAR's published forms, made small: python batches, the binary version, and their archives."""

from __future__ import annotations

import io
import pickle
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imgclf.datasets.base import DataPlaces, Splits
from imgclf.datasets.cifar10 import CIFAR10, TARGET, Cifar10
from imgclf.datasets.cifar100 import CIFAR100, COARSE, FINE, TARGETS, Cifar100
from imgclf.datasets.published.cifar_dataset import load_cifar
from imgclf.datasets.published.cifar_files import look_at
from imgclf.datasets.published.whereabouts import Miss
from imgclf.errors import ImgclfError

NUMBERS = np.random.default_rng(1)
IMAGES = NUMBERS.integers(0, 256, (60, 32, 32, 3), np.uint8)  # 50 to train on, 10 to test on
LABELS, FINE_LABELS, COARSE_LABELS = np.arange(60) % 10, NUMBERS.integers(0, 100, 60), NUMBERS.integers(0, 20, 60)
NOBODY = "http://127.0.0.1:1/"
SMALL_10 = replace(CIFAR10, train_images=50, test_images=10, mirrors=(NOBODY,))
SMALL_100 = replace(CIFAR100, train_images=50, test_images=10, mirrors=(NOBODY,))


def rows(part: slice) -> np.ndarray[Any, Any]:
    """An image as CIFAR has it: all red pixels, all green ones, all blue ones."""
    return np.stack([np.concatenate([image[..., channel].ravel() for channel in range(3)]) for image in IMAGES[part]])


def python_files_10() -> dict[str, bytes]:
    parts = {f"data_batch_{i + 1}": slice(10 * i, 10 * i + 10) for i in range(5)} | {"test_batch": slice(50, 60)}
    return {
        name: pickle.dumps({b"data": rows(part), b"labels": LABELS[part].tolist()}, protocol=2)
        for name, part in parts.items()
    }


def binary_files_10() -> dict[str, bytes]:
    parts = {f"data_batch_{i + 1}.bin": slice(10 * i, 10 * i + 10) for i in range(5)} | {
        "test_batch.bin": slice(50, 60)
    }
    return {
        name: np.concatenate([LABELS[part, None].astype(np.uint8), rows(part)], axis=1).tobytes()
        for name, part in parts.items()
    }


def python_files_100() -> dict[str, bytes]:
    parts = {"train": slice(0, 50), "test": slice(50, 60)}
    return {
        name: pickle.dumps(
            {
                b"data": rows(part),
                b"fine_labels": FINE_LABELS[part].tolist(),
                b"coarse_labels": COARSE_LABELS[part].tolist(),
            },
            protocol=2,
        )
        for name, part in parts.items()
    }


def binary_files_100() -> dict[str, bytes]:
    both = np.stack([COARSE_LABELS, FINE_LABELS], axis=1).astype(np.uint8)
    parts = {"train.bin": slice(0, 50), "test.bin": slice(50, 60)}
    return {name: np.concatenate([both[part], rows(part)], axis=1).tobytes() for name, part in parts.items()}


def write_folder(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def write_archive(path: Path, files: dict[str, bytes], below: str = "cifar") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{below}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def load_10(data: Path) -> Splits:
    return load_cifar(SMALL_10, Cifar10(name="cifar10", validation_size=0), TARGET, "labels", DataPlaces(data), seed=0)


@pytest.mark.parametrize("form", ["python", "binary", "python archive", "binary archive"])
def test_each_form_of_cifar_10_gives_the_same_images_and_labels(form: str, tmp_path: Path) -> None:
    files = python_files_10() if form.startswith("python") else binary_files_10()
    if form.endswith("archive"):
        write_archive(tmp_path / f"cifar-10-{form.split()[0]}.tar.gz", files)
    else:
        write_folder(tmp_path / ("cifar-10-batches-py" if form == "python" else "cifar-10-batches-bin"), files)
    splits = load_10(tmp_path)
    assert np.array_equal(splits.train.pixels.take(np.arange(50)), IMAGES[:50])
    assert splits.train.labels[:, 0].tolist() == LABELS[:50].tolist()
    test = splits.load_test()
    assert np.array_equal(test.pixels.take(np.arange(10)), IMAGES[50:])
    assert test.labels[:, 0].tolist() == LABELS[50:].tolist()
    assert splits.notes[0].startswith(f"CIFAR-10 from {tmp_path}")


@pytest.mark.parametrize("is_binary", [False, True])
@pytest.mark.parametrize("labels", ["fine", "coarse"])
def test_cifar_100_has_fine_and_coarse_labels(labels: str, is_binary: bool, tmp_path: Path) -> None:
    folder, files = ("cifar-100-binary", binary_files_100()) if is_binary else ("cifar-100-python", python_files_100())
    write_folder(tmp_path / folder, files)
    settings = Cifar100(name="cifar100", validation_size=0)
    splits = load_cifar(SMALL_100, settings, TARGETS[labels], f"{labels}_labels", DataPlaces(tmp_path), seed=0)
    wanted = FINE_LABELS if labels == "fine" else COARSE_LABELS
    assert splits.train.labels[:, 0].tolist() == wanted[:50].tolist()
    assert np.array_equal(splits.load_test().pixels.take(np.arange(10)), IMAGES[50:])


def test_the_class_names_are_a_hundred_and_twenty_in_the_alphabets_order() -> None:
    assert (len(FINE), len(COARSE)) == (100, 20)
    assert sorted(FINE) == list(FINE)
    assert sorted(COARSE, key=lambda name: name.replace("_", " ")) == list(COARSE)


def test_keras_cache_is_looked_into(tmp_path: Path, keras_home: Path) -> None:
    place = keras_home / "datasets" / "cifar-10-batches-py-target" / "cifar-10-batches-py"
    write_folder(place, python_files_10())
    assert load_10(tmp_path).notes == (f"CIFAR-10 from {place} (python batches)",)


def test_nowhere_and_offline_the_message_names_places_file_and_source(tmp_path: Path, keras_home: Path) -> None:
    with pytest.raises(ImgclfError) as error:
        load_10(tmp_path)
    text = f"{error.value} {error.value.hint}"
    for wanted in (tmp_path / "cifar-10-batches-py", "cifar-10-python.tar.gz", NOBODY, keras_home / "datasets"):
        assert str(wanted) in text


def test_a_folder_that_lacks_a_file_is_an_error_and_not_passed_over(tmp_path: Path) -> None:
    files = python_files_10()
    del files["data_batch_3"]
    write_folder(tmp_path / "cifar-10-batches-py", files)
    with pytest.raises(ImgclfError, match=r"cifar-10-batches-py: incomplete: lacks data_batch_3"):
        load_10(tmp_path)


@pytest.mark.parametrize("is_binary", [False, True])
def test_a_batch_with_too_few_images_is_an_error_that_names_it(is_binary: bool, tmp_path: Path) -> None:
    files = binary_files_10() if is_binary else python_files_10()
    name = f"data_batch_2{'.bin' if is_binary else ''}"
    short = pickle.dumps({b"data": rows(slice(0, 9)), b"labels": [0] * 9}, protocol=2)
    files[name] = files[name][: 9 * 3073] if is_binary else short
    write_folder(tmp_path / "cifar10", files)
    with pytest.raises(ImgclfError, match=rf"{name}: must hold 10 images; got 9"):
        load_10(tmp_path)


def test_a_label_out_of_range_is_an_error_that_names_its_file_and_place(tmp_path: Path) -> None:
    files = binary_files_10()
    changed = bytearray(files["data_batch_4.bin"])
    changed[3 * 3073] = 10
    write_folder(tmp_path / "cifar10", files | {"data_batch_4.bin": bytes(changed)})
    with pytest.raises(ImgclfError, match=r"data_batch_4.bin: labels must be from 0 to 9; got 10 at position 3"):
        load_10(tmp_path)


def test_a_cut_archive_and_one_that_is_none_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    write_archive(path, python_files_10())
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(ImgclfError, match=r"cifar-10-python.tar.gz: (cut short|incomplete|not a)"):
        load_10(tmp_path)
    path.write_bytes(b"no archive at all" * 100)
    with pytest.raises(ImgclfError, match=r"cifar-10-python.tar.gz"):
        load_10(tmp_path)


def test_links_in_an_archive_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(python_files_10()["test_batch"])
    path = tmp_path / "data" / "cifar-10-python.tar.gz"
    files = python_files_10()
    del files["test_batch"]
    write_archive(path, files)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("test_batch")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link)
    with pytest.raises(ImgclfError, match="incomplete: lacks test_batch"):
        load_10(tmp_path / "data")


def test_the_settings_know_shape_and_classes_before_any_file_is_read() -> None:
    assert Cifar10(name="cifar10").known_shape() == (32, 32, 3)
    (target,) = Cifar100(name="cifar100", labels="coarse").known_targets()
    assert len(target.class_names) == 20


@pytest.mark.parametrize("header", [b"\x1f\x8b\x08", b"\x1f\x8b\x08\xff\xff\x00\x00\x00\x00\x40"])
def test_an_archive_cut_in_the_header_of_its_compression_is_told(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(header)
    found = look_at(path, CIFAR10)
    assert isinstance(found, Miss)
    assert found.problem == "not a .tar.gz archive, or damaged: the header of its compression is cut short"
