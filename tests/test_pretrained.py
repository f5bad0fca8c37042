from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imgclf.errors import ImgclfError
from imgclf.models.application import Application
from imgclf.models.heads import build_model
from imgclf.models.published import PublishedWeights
from imgclf.pretrained import find_published, load_pretrained, pretrained_file

DATA = Path(os.environ.get("IMGCLF_DATA_DIR", Path(__file__).parents[1] / "data"))
VGG16 = DATA / "weights" / "vgg16_imagenet_notop.h5"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, and an empty cache of Keras in tmp_path/keras."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def wanted(weights: str = "imagenet", download: Any = None) -> PublishedWeights:
    return PublishedWeights("Net", weights, ("ours.h5", "theirs.h5"), download)


def file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_imagenet_is_looked_for_in_the_data_folder_then_in_keras_cache(data: Path, tmp_path: Path) -> None:
    places = [data / "weights" / "ours.h5", data / "weights" / "theirs.h5", tmp_path / "keras" / "models" / "theirs.h5"]
    for place in reversed(places):
        assert find_published(wanted(), data) if file(place) == place else None
        assert find_published(wanted(), data) == place


def test_a_path_is_looked_for_where_the_user_stands_then_in_the_data_folder(data: Path, tmp_path: Path) -> None:
    below = file(data / "mine.h5")
    assert find_published(wanted("mine.h5"), data) == below
    file(tmp_path / "mine.h5")
    assert find_published(wanted("mine.h5"), data) == Path("mine.h5")
    with pytest.raises(ImgclfError, match=r"model\.weights: no such file: other\.h5; looked for it in the working"):
        find_published(wanted("other.h5"), data)


def test_what_is_nowhere_is_downloaded_into_keras_cache(data: Path, tmp_path: Path) -> None:
    place = tmp_path / "keras" / "models" / "theirs.h5"
    assert find_published(wanted(download=lambda: file(place)), data) == place


def test_a_download_that_fails_names_the_places_and_the_file(data: Path, tmp_path: Path) -> None:
    def fail() -> None:
        raise Exception("URL fetch failure on https://example.org:\n no route")

    with pytest.raises(ImgclfError) as refused:
        find_published(wanted(download=fail), data)
    assert str(refused.value) == (
        f"Net: its ImageNet weights are neither in {data}/weights nor in {tmp_path}/keras/models (ours.h5, theirs.h5); "
        "the download failed: URL fetch failure on https://example.org: no route"
    )
    assert refused.value.hint == (f"put ours.h5 into {data}/weights, or set model.weights to null for random numbers")
    with pytest.raises(ImgclfError, match="nobody offers them for download"):
        find_published(wanted(), data)


def test_the_head_keeps_its_first_weights(data: Path, tmp_path: Path) -> None:
    import keras

    theirs = keras.applications.MobileNetV3Small(include_top=False, weights=None, input_shape=(32, 32, 3))
    theirs.save(tmp_path / "small.h5")
    settings = Application(name="application", application="MobileNetV3Small", weights="small.h5")
    model = build_model(settings, (8, 8, 1), {"label": 3})
    kernel, stem = (model.get_layer(name).kernel.numpy() for name in ("logits_label", "conv"))
    path = pretrained_file(settings, data)
    assert path == Path("small.h5")
    loaded = load_pretrained(model, settings, path)
    assert loaded.sha256 == hashlib.sha256((tmp_path / "small.h5").read_bytes()).hexdigest()
    assert loaded.text() == f"small.h5: {len(theirs.weights)} arrays into MobileNetV3Small"
    np.testing.assert_array_equal(model.get_layer("logits_label").kernel, kernel)
    np.testing.assert_array_equal(model.get_layer("conv").kernel, theirs.get_layer("conv").kernel)
    assert not np.array_equal(stem, theirs.get_layer("conv").kernel)


def test_a_model_that_asks_for_none_gets_none(data: Path) -> None:
    settings = Application(name="application", application="VGG16", weights=None)
    assert pretrained_file(settings, data) is None


@pytest.mark.slow  # needs the published weights and photographs
@pytest.mark.skipif(not VGG16.exists(), reason=f"{VGG16} is not there")
def test_photographs_have_the_features_that_keras_itself_gives_them() -> None:
    import cv2
    import keras
    from keras.applications.vgg16 import preprocess_input

    settings = Application(name="application", application="VGG16", pooling="flatten")
    model = build_model(settings, (150, 150, 3), {"label": 2})
    loaded = load_pretrained(model, settings, VGG16)
    assert (loaded.path, loaded.arrays) == (VGG16, 26)
    files = [DATA / "cats_vs_dogs" / "train" / name for name in ("cat.1.jpg", "dog.1.jpg")]
    photographs = np.stack([cv2.resize(cv2.imread(str(one))[..., ::-1], (150, 150)) for one in files]).astype("f4")
    theirs = keras.applications.VGG16(include_top=False, weights=str(VGG16), input_shape=(150, 150, 3))
    wanted_features = np.asarray(theirs(preprocess_input(photographs.copy()))).reshape(2, -1)
    ours = keras.Model(model.inputs[0], model.get_layer("logits_label").input)
    scale = np.abs(wanted_features).max()
    assert scale > 10
    np.testing.assert_allclose(np.asarray(ours(photographs / 255)) / scale, wanted_features / scale, atol=1e-5)
