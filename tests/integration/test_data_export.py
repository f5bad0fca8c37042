"""`imgclf data export` and `data download`, and what comes of the files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml
from PIL import Image

from imgclf.datasets.base import Split
from imgclf.datasets.split import fingerprint
from imgclf.experiment.load import load_experiment
from imgclf.loading import load_splits
from imgclf.screen import Silent

Imgclf = Callable[..., Any]


def splits_of(config: str | Path) -> list[Split | None]:
    splits = load_splits(load_experiment(str(config), ()).experiment, None, Silent())
    return [splits.train, splits.validation, splits.load_test()]


def write_config(path: Path, section: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump({"dataset": section, "model": "perceptron", "training": {"epochs": 1}}))
    return path


@pytest.mark.parametrize("name", ["digits.h5", "digits.npz"])
def test_the_printed_section_loads_the_same_splits_back(tmp_path: Path, imgclf: Imgclf, name: str) -> None:
    done = imgclf("data", "export", "lenet_digits", tmp_path / name)
    assert done.status == 0
    section = yaml.safe_load(done.out[done.out.index("dataset:") :])["dataset"]
    back = splits_of(write_config(tmp_path / "back.yaml", section))
    for written, split in zip(splits_of("lenet_digits"), back, strict=True):
        assert written is not None
        assert split is not None
        assert fingerprint(written) == fingerprint(split)
    assert "train_images       uint8 1,294 x 8 x 8 x 1" in done.out


@pytest.mark.parametrize("columns", [("colour", "shape of it/2"), ("colour",)])
@pytest.mark.parametrize("name", ["shapes.h5", "shapes.npz"])
def test_every_label_column_comes_back(
    tmp_path: Path, imgclf: Imgclf, monkeypatch: pytest.MonkeyPatch, name: str, columns: tuple[str, ...]
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    numbers = np.random.default_rng(0)
    rows = [("file", *columns)]
    for number in range(40):
        Image.fromarray(numbers.integers(0, 256, (6, 6, 3), np.uint8)).save(tmp_path / f"{number}.png")
        rows.append(
            (f"{number}.png", *(("blau", "grün", "红")[number % 3], ("disc", "square")[number % 2])[: len(columns)])
        )
    (tmp_path / "labels.csv").write_text("\n".join(",".join(row) for row in rows), encoding="utf-8")
    section = {"name": "image_folder", "path": str(tmp_path), "csv": "labels.csv", "label_columns": list(columns)}
    config = write_config(tmp_path / "shapes.yaml", section)
    done = imgclf("data", "export", config, tmp_path / name)
    assert done.status == 0, done.err
    back = write_config(tmp_path / "back.yaml", yaml.safe_load(done.out[done.out.index("dataset:") :])["dataset"])
    experiments = [load_experiment(str(path), ()).experiment for path in (config, back)]
    loaded = [load_splits(experiment, None, Silent()) for experiment in experiments]
    assert loaded[1].targets == loaded[0].targets
    assert [target.name for target in loaded[1].targets] == list(columns)
    for written, split in zip(splits_of(config), splits_of(back), strict=True):
        assert written is not None
        assert split is not None
        assert fingerprint(written) == fingerprint(split)


def test_others_can_read_the_arrays(tmp_path: Path, imgclf: Imgclf) -> None:
    for name in ("digits.h5", "digits.npz"):
        assert imgclf("data", "export", "lenet_digits", tmp_path / name).status == 0
    arrays = np.load(tmp_path / "digits.npz")
    with h5py.File(tmp_path / "digits.h5") as file:
        assert sorted(file) == sorted(arrays)
        for key in file:
            stored = file[key].asstr()[()] if key == "class_names" else file[key][()]
            assert np.array_equal(stored, arrays[key])
    assert arrays["class_names"].tolist() == list("0123456789")


def test_equal_data_give_equal_files(tmp_path: Path, imgclf: Imgclf) -> None:
    for name in ("a.h5", "b.h5", "a.npz", "b.npz"):
        assert imgclf("data", "export", "lenet_digits", tmp_path / name).status == 0
    for form in ("h5", "npz"):
        assert (tmp_path / f"a.{form}").read_bytes() == (tmp_path / f"b.{form}").read_bytes()


def test_a_data_set_without_validation_is_loaded_without(tmp_path: Path, imgclf: Imgclf) -> None:
    done = imgclf("data", "export", "lenet_digits", tmp_path / "a.npz", "--set", "dataset.validation_size=0")
    section = yaml.safe_load(done.out[done.out.index("dataset:") :])["dataset"]
    train, validation, test = splits_of(write_config(tmp_path / "back.yaml", section))
    assert (len(train or ()), validation, len(test or ())) == (1438, None, 359)


def test_a_file_is_never_written_over_and_its_ending_tells_the_format(tmp_path: Path, imgclf: Imgclf) -> None:
    (tmp_path / "mine.h5").write_text("mine")
    done = imgclf("data", "export", "lenet_digits", tmp_path / "mine.h5")
    assert (done.status, (tmp_path / "mine.h5").read_text()) == (2, "mine")
    assert "is there already" in done.err
    done = imgclf("data", "export", "lenet_digits", tmp_path / "mine.dat")
    assert done.status == 2
    assert "must end in .h5, .hdf5, .npz" in done.err
    assert imgclf("data", "export", "lenet_digits", tmp_path / "mine.dat", "--format", "hdf5").status == 0
    assert h5py.is_hdf5(tmp_path / "mine.dat")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.dat", "mine.h5"]


def test_download_wants_classes_for_quickdraw_and_for_nothing_else(tmp_path: Path, imgclf: Imgclf) -> None:
    done = imgclf("data", "download", "quickdraw", "--data-dir", tmp_path)
    assert (done.status, "quickdraw needs --classes" in done.err) == (2, True)
    done = imgclf("data", "download", "mnist", "--classes", "3", "--data-dir", tmp_path)
    assert (done.status, "mnist has no --classes" in done.err) == (2, True)


def test_download_knows_what_it_can_fetch(tmp_path: Path, imgclf: Imgclf) -> None:
    done = imgclf("data", "download", "digits", "--data-dir", tmp_path)
    assert done.status == 2
    assert "digits: is no data set that is downloaded" in done.err
    assert "hint: There are: mnist, fashion_mnist, cifar10, cifar100, quickdraw." in done.err
    assert list(tmp_path.iterdir()) == []


def test_download_names_what_is_there(tmp_path: Path, imgclf: Imgclf) -> None:
    (tmp_path / "quickdraw").mkdir()
    np.save(tmp_path / "quickdraw" / "cat.npy", np.zeros((7, 784), np.uint8))
    done = imgclf("data", "download", "quickdraw", "--classes", " cat,", "--data-dir", tmp_path)
    assert (done.status, done.out) == (0, f"{tmp_path}/quickdraw/cat.npy: is there already, 7 drawings\n")


@pytest.mark.slow  # two runs are trained, evaluated and used
def test_fractions_train_evaluate_and_predict_as_the_bytes_do(tmp_path: Path, imgclf: Imgclf) -> None:
    """Two runs on the same digits, as bytes and as fractions: the same ink, and nearly the same answers."""
    whole = splits_of("lenet_digits")[0]
    assert whole is not None
    images, labels = whole.pixels.take(np.arange(len(whole))), whole.labels[:, 0]
    np.savez(tmp_path / "bytes.npz", train_images=images, train_labels=labels)
    np.savez(
        tmp_path / "fractions.npz", train_images=(images / 255).astype(np.float32), train_labels=np.eye(10)[labels]
    )
    records, reports = [], []
    for kind in ("bytes", "fractions"):
        config = write_config(tmp_path / f"{kind}.yaml", {"name": "npz", "path": str(tmp_path / f"{kind}.npz")})
        assert imgclf("train", config, "--runs-dir", tmp_path / "runs", "--name", kind).status == 0
        (run,) = (tmp_path / "runs").glob(f"{kind}-*")
        assert imgclf("evaluate", run, "--samples", "1").status == 0
        records.append(json.loads((run / "run.json").read_text()))
        reports.append(json.loads((run / "report.json").read_text()))
        done = imgclf("predict", run / "samples" / "001.png", "--run", run)
        assert done.status == 0, done.err
    assert records[0]["ink"] == records[1]["ink"]
    assert records[0]["data"]["images"] == records[1]["data"]["images"]
    assert abs(reports[0]["accuracy"] - reports[1]["accuracy"]) < 0.02
