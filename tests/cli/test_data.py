"""`imgclf data show` and `imgclf data check` on files in MNIST's format that the test writes."""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Imgclf = Callable[..., Any]
STAGES = "training.stages=[{epochs: 1, augmentation: [{name: shift, pixels: 2}]}, {epochs: 1, augmentation: []}]"
PNG = b"\x89PNG"


def soft(count: int, seed: int) -> NDArray[np.uint8]:
    """Grey pictures of soft areas, uint8 (count, 28, 28), each another one."""
    areas = np.random.default_rng(seed).integers(0, 256, (count, 6, 6)).astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(one).resize((28, 28))) for one in areas])


def saved_as_jpeg(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=80)
    return np.asarray(Image.open(buffer))


@dataclass
class Files:
    """A folder in MNIST's format: 80 training images, all kept for training, and 40 test images."""

    folder: Path
    train: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]

    def write(self) -> tuple[str, ...]:
        """The options that load them."""
        folder = self.folder / "mnist"
        folder.mkdir(parents=True)
        for name, array in {
            "train-images-idx3-ubyte": self.train,
            "train-labels-idx1-ubyte": self.train_labels,
            "t10k-images-idx3-ubyte": self.test,
            "t10k-labels-idx1-ubyte": self.test_labels,
        }.items():
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (folder / name).write_bytes(head + array.tobytes())
        save = str(self.folder / "pictures")
        return "--data-dir", str(self.folder), "--save", save, "--set", "dataset.validation_size=0"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    labels = np.arange(80, dtype=np.uint8) % 10
    return Files(tmp_path, soft(80, 0), labels, soft(40, 1), labels[:40].copy())


def check(imgclf: Imgclf, files: Files) -> tuple[int, dict[str, Any]]:
    answer = imgclf("data", "check", "lenet_mnist", *files.write(), "--json")
    assert answer.err == ""
    return answer.status, json.loads(answer.out)


def names(found: list[dict[str, Any]]) -> list[list[str]]:
    return [[f"{image['split']} {image['index']}" for image in one["images"]] for one in found]


def test_data_in_order_has_status_0_and_no_picture(imgclf: Imgclf, files: Files) -> None:
    status, found = check(imgclf, files)
    assert (status, found["warnings"], found["picture"]) == (0, [], None)
    assert found["images"] == {"train": 80, "test": 40}
    assert not (files.folder / "pictures").exists()


def test_an_image_in_train_and_test_is_found_equal(imgclf: Imgclf, files: Files) -> None:
    files.test[7] = files.train[30]  # labels 7 and 0
    status, found = check(imgclf, files)
    assert (status, found["shared"]) == (1, {"exact": 1, "near": 0})
    assert names(found["exact_duplicates"]) == [["train 30", "test 7"]]
    assert found["exact_duplicates"][0]["labels_differ"]
    assert found["exact_duplicates"][0]["images"][0]["classes"] == {"label": "0"}
    assert "different labels" in found["warnings"][0]
    assert Path(found["picture"]).read_bytes().startswith(PNG)


def test_a_copy_saved_as_jpeg_is_found_alike(imgclf: Imgclf, files: Files) -> None:
    files.test[21] = saved_as_jpeg(files.train[51])
    status, found = check(imgclf, files)
    assert (status, found["shared"]) == (1, {"exact": 0, "near": 1})
    assert names(found["near_duplicates"]) == [["train 51", "test 21"]]
    assert found["warnings"] == []


def test_duplicates_within_a_split_and_in_validation_are_no_failure(imgclf: Imgclf, files: Files) -> None:
    files.train[[40, 50]] = files.train[[10, 20]]
    options = [*files.write(), "--set", "dataset.validation_size=40", "--json"]
    answer = imgclf("data", "check", "lenet_mnist", *options)
    assert answer.status == 0
    found = json.loads(answer.out)
    assert len(found["exact_duplicates"]) == 2
    assert found["shared"] == {"exact": 0, "near": 0}
    assert found["picture"] is not None


def test_classes_and_images_that_say_nothing_are_warned_of(imgclf: Imgclf, files: Files) -> None:
    files.train_labels[files.train_labels == 3] = 4
    files.test_labels[files.test_labels == 8] = 9
    files.train[5] = 255
    files.train_labels[10:40] = 0
    status, found = check(imgclf, files)
    assert status == 0
    (target,) = found["targets"]
    assert target["without_images"] == {"train": ["3"], "test": ["8"]}
    assert [image["index"] for image in found["one_colour"]] == [5]
    counts = np.bincount(files.train_labels, minlength=10)
    assert target["largest"] == {"class_name": "0", "images": counts[0]}
    assert target["smallest"]["images"] == min(counts[counts > 0])
    told = "\n".join(found["warnings"])
    assert "1 image is of one colour" in told
    assert "class 3 without an image in the training split" in told
    assert "class 8 without an image in the test split" in told
    assert "imbalanced" in told


def test_the_report_for_people_names_what_was_found(imgclf: Imgclf, files: Files) -> None:
    files.test[7], files.test[8] = files.train[30], saved_as_jpeg(files.train[48])
    answer = imgclf("data", "check", "lenet_mnist", *files.write())
    assert answer.status == 1
    assert "  train image 30 = test image 7: labelled 0 and 7\n" in answer.out
    assert "  train image 48 ~ test image 8 (0.99" in answer.out
    assert "test images that are among the training and validation images: 1 equal, 1 alike\n" in answer.out
    assert answer.out.endswith(f"{files.folder / 'pictures' / 'pairs.png'}\n")
    assert answer.out.replace("\n", "").isprintable()


def test_show_counts_classes_and_measures_pixels(imgclf: Imgclf, files: Files) -> None:
    found = json.loads(imgclf("data", "show", "lenet_mnist", *files.write(), "--json").out)
    assert (found["image_shape"], found["dtype"]) == ([28, 28, 1], "uint8")
    assert found["splits"] == {"train": {"images": 80, "bytes": 80 * 784}, "test": {"images": 40, "bytes": 40 * 784}}
    (target,) = found["targets"]
    assert target["classes"][3] == {"class_name": "3", "train": 8, "test": 4}
    assert found["pixels"]["mean"] == pytest.approx([files.train.mean()])
    assert found["pixels"]["deviation"] == pytest.approx([files.train.std()])
    assert found["training"]["bytes_in_memory"] == 120 * 784
    assert found["training"]["bytes_mapped"] == 0
    assert found["training"]["batch_bytes_in_the_model"] == found["training"]["batch_size"] * 784 * 4
    assert [Path(path).name for path in found["pictures"]] == ["classes.png", "samples.png"]
    assert all(Path(path).read_bytes().startswith(PNG) for path in found["pictures"])


def test_show_prints_tables_and_the_pictures_places(
    imgclf: Imgclf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = imgclf("data", "show", "lenet_digits")
    assert (answer.status, answer.err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in answer.out.splitlines() if line}
    assert rows["all"] == ["1,294", "144", "359", "1,797"]
    assert sorted(path.name for path in (tmp_path / "data-lenet_digits").iterdir()) == ["classes.png", "samples.png"]
    assert "data-lenet_digits/samples.png" in answer.out


@pytest.mark.slow  # imports TensorFlow, and draws three pictures of 48 images
def test_show_draws_augmented_images_of_an_epoch(imgclf: Imgclf, tmp_path: Path) -> None:
    options = ("--save", tmp_path, "--set", "augmentation=[{name: shift, pixels: 2}]", "--augmented", "--epoch")
    drawn = []
    for epoch in (1, 2, 2):
        answer = imgclf("data", "show", "lenet_digits", *options, epoch)
        assert answer.status == 0, answer.err
        drawn.append((tmp_path / "augmented.png").read_bytes())
    assert drawn[0] != drawn[1]
    assert drawn[1] == drawn[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "lenet_digits", "--augmented"], "has no augmentation to show\nhint: the experiment's list"),
        (
            ["show", "lenet_digits", "--augmented", "--epoch", "2", "--set", STAGES],
            "the list `augmentation` of the stage of epoch 2 is empty",
        ),
        (["show", "lenet_digitz"], "did you mean lenet_digits"),
        (["check", "lenet_digits", "--set", "model.fliters=3"], 'unknown key; did you mean "filters"?'),
    ],
)
def test_mistakes_are_told_with_status_2_before_anything_is_written(
    imgclf: Imgclf, arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = imgclf("data", *arguments)
    assert (answer.status, answer.out) == (2, "")
    assert message in answer.err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(imgclf: Imgclf) -> None:
    answer = imgclf("data", "show", "lenet_digits", "--save", "/proc/none")
    assert answer.status == 1
    assert "can't be written" in answer.err


@pytest.mark.slow  # imports TensorFlow, and draws a picture of 48 images
def test_show_draws_what_the_stage_of_the_epoch_makes_of_images(imgclf: Imgclf, tmp_path: Path) -> None:
    options = ("--save", tmp_path, "--set", STAGES, "--augmented")
    assert imgclf("data", "show", "lenet_digits", *options).status == 0
    assert (tmp_path / "augmented.png").read_bytes().startswith(PNG)


def test_check_tells_empty_classes_and_names_of_any_bytes(imgclf: Imgclf, tmp_path: Path) -> None:
    data = tmp_path / "animals"
    for number, image in enumerate(soft(20, 0)):
        folder = data / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number}.png")
    (data / "bird").mkdir()
    Path(os.fsdecode(os.fsencode(data / "cat") + b"/\xff.jpg")).write_bytes(b"no image")
    config = tmp_path / "mine.yaml"
    config.write_text(f"dataset: {{name: image_folder, path: {data}}}\nmodel: perceptron\n")
    found = json.loads(imgclf("data", "check", config, "--json", "--save", tmp_path).out)
    assert any(note.startswith("without any image, so no class: bird") for note in found["notes"])
    assert found["unreadable"][0]["file"].endswith("\\xff.jpg")
    answer = imgclf("data", "check", config, "--save", tmp_path)
    assert "data: without any image, so no class: bird" in answer.out
    assert "\\xff.jpg: " in answer.out
