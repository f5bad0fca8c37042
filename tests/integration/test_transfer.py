"""Networks of earlier runs under new heads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import imgclf
from imgclf.errors import ImgclfError

# Slow: real runs, a few seconds each.
pytestmark = pytest.mark.slow

QUIET = ["training.tensorboard.scalars=false", "training.tensorboard.graph=false"]
TRANSFER = (
    "dataset: digits\nmodel: {{name: transfer, run: {run}, cut: {cut}}}\ntraining: {{trainable: head, epochs: 1}}\n"
)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = [*QUIET, "model.filters=[4,8]", "model.dense_units=[16]", "training.epochs=1"]
    return imgclf.train("lenet_digits", overrides=settings, runs_dir=tmp_path_factory.mktemp("earlier")).run.path


def train(tmp_path: Path, run: Path | str, cut: str, overrides: Sequence[str] = ()) -> Any:
    config = tmp_path / "transfer.yaml"
    config.write_text(TRANSFER.format(run=run, cut=cut))
    return imgclf.train(str(config), overrides=[*QUIET, *overrides], runs_dir=tmp_path / "runs")


def weights_of(run: Path, name: str) -> list[np.ndarray]:
    import h5py

    with h5py.File(run / "weights" / "last.weights.h5") as file:
        (group,) = (one for one in file["layers"].values() if one["vars"].attrs.get("name") == name)
        return [group["vars"][number][()] for number in sorted(group["vars"])]


def test_the_layers_that_are_kept_have_the_earlier_runs_weights_and_the_head_is_new(
    earlier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    run = train(tmp_path, earlier, "conv_2").run
    for layer in ("conv_1", "conv_2"):
        for kept, trained in zip(weights_of(earlier, layer), weights_of(run.path, layer), strict=True):
            np.testing.assert_array_equal(kept, trained)
    assert run.record()["pretrained"]["path"] == str(earlier / "weights" / "last.weights.h5")


@pytest.mark.parametrize("seeds", [(), ("--seeds", "2")])
def test_an_earlier_run_that_is_not_there_is_a_mistake_at_its_place(
    seeds: tuple[str, ...], imgclf: Any, tmp_path: Path
) -> None:
    config = tmp_path / "transfer.yaml"
    config.write_text("dataset: digits\nmodel:\n  name: transfer\n  run: lenet-gone\n")
    answer = imgclf("train", config, "--runs-dir", tmp_path / "runs", *seeds)
    assert answer.status == 2
    expected = f"error: {config}:4: model.run: lenet-gone: no run of this path or name (looked in {tmp_path / 'runs'});"
    assert expected in answer.err


def test_the_run_stands_by_itself_once_the_earlier_one_is_gone(
    earlier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    copy = tmp_path / "earlier"
    shutil.copytree(earlier, copy)
    result = train(tmp_path, copy, "dense_1")
    shutil.rmtree(copy)
    assert imgclf.load_run(result.run.path).evaluate()["loss"] == result.report["loss"]
    assert yaml.safe_load(result.run.experiment.read_text())["model"]["body"]["name"] == "lenet"


def test_the_same_weights_under_another_path_find_their_stored_features(
    earlier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    train(tmp_path, earlier, "conv_2")
    shutil.copytree(earlier, tmp_path / "copy")
    log = train(tmp_path, tmp_path / "copy", "conv_2").run.log.read_text()
    assert "images taken from" in log


def test_the_list_of_the_cache_says_what_stored_features_are_of(
    earlier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imgclf: Callable[..., Any]
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    images = train(tmp_path, earlier, "conv_2").run.record()["data"]["images"]
    (listed,) = json.loads(imgclf("data", "cache", "list", "--json").out)
    assert (listed["dataset"], listed["network"], listed["image_shape"]) == ("digits", "lenet up to conv_2", [8, 8, 1])
    assert (listed["images"], listed["features"]) == (images["train"] + images["validation"], 8)
    assert " digits    lenet up to conv_2  8x8x1 " in imgclf("data", "cache", "list").out
    imgclf("data", "cache", "clear")
    assert list((tmp_path / "cache" / "features").iterdir()) == []


@pytest.mark.parametrize(
    ("cut", "overrides", "message"),
    [
        ("conv_9", [], 'expected a layer of the lenet of .*, found "conv_9"'),
        ("conv_2", ["preprocessing.scaling=symmetric"], "scaling differs"),
        ("dense_1", ["preprocessing.size=16"], "layer dense_1 must have weights of the shapes"),
    ],
)
def test_what_does_not_fit_the_earlier_run_is_refused(
    cut: str, overrides: list[str], message: str, earlier: Path, tmp_path: Path
) -> None:
    with pytest.raises(ImgclfError, match=message):
        train(tmp_path, earlier, cut, overrides)
    assert not (tmp_path / "runs").exists()


def test_whitening_of_images_of_another_size_is_refused_with_the_size_that_fits(tmp_path: Path) -> None:
    whitened = [*QUIET, "preprocessing.whitening=zca", "model.filters=[4]", "training.epochs=1"]
    earlier = imgclf.train("lenet_digits", overrides=whitened, runs_dir=tmp_path / "earlier").run.path
    with pytest.raises(ImgclfError, match="whitening was fitted on images of 8x8x1; these are 12x12x1") as refused:
        train(tmp_path, earlier, "conv_1", ["preprocessing.whitening=zca", "preprocessing.size=12"])
    assert refused.value.hint == "set preprocessing.size: [8, 8]"
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("channels", [None, 1])
def test_a_run_on_grey_images_is_carried_to_coloured_ones_made_grey(
    channels: int | None, earlier: Path, tmp_path: Path
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), np.uint8)
    np.savez(tmp_path / "colours.npz", train_images=images, train_labels=np.arange(60) % 3)
    coloured = [f"dataset={{name: npz, path: {tmp_path / 'colours.npz'}, test_size: 12}}", "training.batch_size=8"]
    if channels is None:
        with pytest.raises(ImgclfError, match="that run saw grey images; these are coloured") as refused:
            train(tmp_path, earlier, "conv_2", coloured)
        assert refused.value.hint == "set preprocessing.channels: 1"
        return
    run = train(tmp_path, earlier, "conv_2", [*coloured, "preprocessing.channels=1"]).run
    for kept, taken in zip(weights_of(earlier, "conv_1"), weights_of(run.path, "conv_1"), strict=True):
        np.testing.assert_array_equal(kept, taken)


def test_stages_of_a_published_network_train_the_head_and_then_a_block_and_the_run_can_be_cut_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    head = {"trainable": "head", "epochs": None, "steps": 2}
    optimizer = {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9}
    block = {"trainable": "fire9", "epochs": None, "steps": 2, "optimizer": optimizer, "augmentation": ["flip"]}

    def stages(*plan: dict[str, Any]) -> Path:
        config = tmp_path / f"stages-{len(plan)}.yaml"
        model = {"name": "squeezenet", "weights": None}
        training = {"stages": plan, "batch_size": 8}
        config.write_text(yaml.safe_dump({"dataset": "digits", "model": model, "training": training}))
        return imgclf.train(str(config), overrides=QUIET, runs_dir=tmp_path / "runs").run.path  # type: ignore[no-any-return]

    before, after = stages(head), stages(head, block)
    assert "images taken from" in (after / "log.txt").read_text()  # the second run finds the features of the first
    log = (after / "log.txt").read_text()
    assert "stage 1 trains 5,130 of 727,626 parameters: logits_label; the body's dropout rests: drop9\n" in log
    assert log.count("dropout rests") == 1
    changed = {
        name: any(
            (one != other).any() for one, other in zip(weights_of(before, name), weights_of(after, name), strict=True)
        )
        for name in ("conv1", "fire8_expand3x3", "fire9_squeeze1x1", "fire9_expand3x3", "logits_label")
    }
    assert [name for name, is_changed in changed.items() if is_changed] == [*changed][2:]
    run = train(tmp_path, after, "fire8_concat").run
    for kept, taken in zip(weights_of(after, "fire8_expand3x3"), weights_of(run.path, "fire8_expand3x3"), strict=True):
        np.testing.assert_array_equal(kept, taken)
