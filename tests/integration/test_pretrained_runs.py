"""A run that begins with published weights: what it says and records, and that it works without their file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Imgclf = Callable[..., Any]
CONFIG = {
    "dataset": {"name": "digits", "limit_per_class": 10},
    "model": {"name": "application", "application": "MobileNet", "weights": "imagenet"},
    "training": {"steps": 2, "batch_size": 8, "trainable": "head"},
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(CONFIG))
    return tmp_path / "mine.yaml"


@pytest.mark.slow  # a network of 28 layers is built four times and compiled three times
def test_a_run_says_and_records_its_published_weights_and_works_without_them(
    imgclf: Imgclf, config: Path, tmp_path: Path
) -> None:
    import keras

    published = tmp_path / "data" / "weights" / "mobilenet_1_0_224_tf_no_top.h5"
    published.parent.mkdir(parents=True)
    network = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(64, 64, 3))
    network.save(published)
    places = ("--runs-dir", tmp_path / "runs", "--data-dir", tmp_path / "data")
    trained = imgclf("train", config, *places)
    assert trained.status == 0, trained.err
    assert f"weights {published}: {len(network.weights)} arrays into MobileNet\n" in trained.err
    assert "        enlarges images from 8x8 to 32x32\n" in trained.err
    (run,) = (tmp_path / "runs").iterdir()
    recorded = json.loads((run / "run.json").read_text())["pretrained"]
    assert recorded == {
        "network": "MobileNet",
        "path": str(published),
        "sha256": hashlib.sha256(published.read_bytes()).hexdigest(),
        "arrays": len(network.weights),
    }
    report = json.loads((run / "report.json").read_text())
    published.unlink()
    evaluated = imgclf("evaluate", run, "--json", *places)
    assert evaluated.status == 0, evaluated.err
    assert json.loads(evaluated.out)["accuracy"] == report["accuracy"]


def test_weights_that_are_nowhere_end_the_command_before_any_run(imgclf: Imgclf, config: Path, tmp_path: Path) -> None:
    answer = imgclf(
        "train", config, "--set", "model.weights=mine.h5", "--runs-dir", tmp_path / "runs", "--data-dir", tmp_path
    )
    assert answer.status == 2
    assert f"error: model.weights: no such file: mine.h5; looked for it in the working directory and in {tmp_path}" in (
        answer.err
    )
    assert not (tmp_path / "runs").exists()


def test_all_wrong_names_of_files_and_layers_are_told_with_their_lines_before_any_data_is_looked_for(
    imgclf: Imgclf, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("""\
dataset: {name: image_folder, path: nowhere, validation_size: 4}
preprocessing: {size: 32}
model: {name: application, application: VGG16, weights: nowhere.h5}
training:
  steps: 1
  stages:
    - trainable: head
    - trainable: blok5
    - trainable: block5
    - trainable: block4_cov2
""")
    answer = imgclf("train", path, "--runs-dir", tmp_path / "runs", "--data-dir", tmp_path)
    weights, first, second = answer.err.splitlines()
    assert answer.status == 2
    assert weights.startswith(f"error: {path}:3: model.weights: no such file: nowhere.h5")
    assert first.startswith(f"error: {path}:8: training.stages[1].trainable: expected all, head")
    assert 'found "blok5"; did you mean "block5"?' in first
    assert f"{path}:10: training.stages[3].trainable: " in second
    assert 'did you mean "block4_conv2"?' in second


def test_a_layer_to_cut_at_is_compared_before_any_data_is_looked_for(imgclf: Imgclf, tmp_path: Path) -> None:
    places = ("--runs-dir", tmp_path / "runs", "--data-dir", tmp_path)
    earlier = ("--set", "training.epochs=null", "--set", "training.steps=1")
    assert imgclf("train", "lenet_digits", *earlier, *places).status == 0
    path = tmp_path / "mine.yaml"
    path.write_text("""\
dataset: {name: image_folder, path: nowhere}
preprocessing: {size: 8}
model:
  name: transfer
  run: latest
  cut: conv_9
training: {trainable: convolution_1}
""")
    answer = imgclf("train", path, *places)
    cut, trainable = answer.err.splitlines()
    assert answer.status == 2
    assert f"{path}:6: model.cut: expected a layer of the lenet of " in cut
    assert 'found "conv_9"; did you mean "conv_' in cut
    assert f"{path}:7: training.trainable: expected all, head" in trainable


def test_a_layer_at_which_a_published_network_is_cut_is_compared_before_any_data_is_looked_for(
    imgclf: Imgclf, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("""\
dataset: {name: image_folder, path: nowhere}
preprocessing: {size: 32}
model:
  name: application
  application: VGG16
  weights: null
  cut: block3_pol
""")
    answer = imgclf("train", path, "--runs-dir", tmp_path / "runs", "--data-dir", tmp_path)
    assert answer.status == 2
    assert (
        f'{path}:7: model.cut: expected a layer of VGG16, found "block3_pol"; did you mean "block3_pool"?' in answer.err
    )
    path.write_text(path.read_text().replace("block3_pol", "block3_pool\n  top: true"))
    assert f"{path}:7: model.cut: a network that keeps its own top (top: true)" in imgclf("config", "check", path).err
