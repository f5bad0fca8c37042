from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from imgclf.models.heads import build_model
from imgclf.models.squeezenet import LEAST_SIDE, SqueezeNet
from imgclf.runs.published import load_published
from imgclf.runs.weights import load_weights, save_weights

DATA = Path(os.environ.get("IMGCLF_DATA_DIR", Path(__file__).parents[2] / "data"))
WEIGHTS = DATA / "weights" / "squeezenet1_1_imagenet.h5"


def settings(**keys: Any) -> SqueezeNet:
    return SqueezeNet(name="squeezenet", **keys)


@pytest.mark.parametrize(("version", "parameters"), [("1.0", 1_248_424), ("1.1", 1_235_496)])
def test_has_the_published_number_of_parameters(version: str, parameters: int) -> None:
    assert build_model(settings(version=version), (64, 64, 3), {"label": 1000}).count_params() == parameters


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_no_smaller_image_has_room_for_every_pooling(version: str) -> None:
    from keras import Model

    def last_side(side: int) -> int:
        kernel, poolings = {"1.0": (7, 3), "1.1": (3, 3)}[version]
        side = (side - kernel) // 2 + 1
        for _ in range(poolings):
            side = (side - 3) // 2 + 1
        return side

    assert last_side(LEAST_SIDE[version]) == 1
    assert last_side(LEAST_SIDE[version] - 1) == 0
    body = settings(version=version).build_body((8, 8, 1))
    maps = Model(body.inputs[0], body.layers[-1].input)
    assert maps.output_shape == (None, 1, 1, 512)


def test_a_dense_layer_on_the_means_is_the_published_convolution_before_its_means() -> None:
    import keras

    model = build_model(settings(dropout=0.0), (64, 64, 3), {"label": 5})
    maps = keras.Model(model.inputs[0], model.get_layer("features").input)
    kernel, bias = model.get_layer("logits_label").get_weights()
    images = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    places = np.asarray(maps(images)) @ kernel + bias  # a 1x1 convolution
    np.testing.assert_allclose(model(images), places.mean(axis=(1, 2)), rtol=1e-4, atol=1e-4)


def test_trains_three_steps_and_its_weights_come_back(tmp_path: Path) -> None:
    import keras
    import tensorflow as tf
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = (digits.images[:4, ..., None] / 16).astype(np.float32), digits.target[:4]
    model, fresh = (build_model(settings(), (8, 8, 1), {"label": 10}) for _ in range(2))
    optimizer, loss = keras.optimizers.SGD(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for _ in range(3):
        with tf.GradientTape() as tape:
            error = loss(labels, model(images, training=True))
        optimizer.apply(tape.gradient(error, model.trainable_variables), model.trainable_variables)
    save_weights(model, tmp_path / "last.weights.h5")
    load_weights(fresh, tmp_path / "last.weights.h5")
    np.testing.assert_array_equal(fresh(images), model(images))


@pytest.mark.slow  # ten to twenty seconds each
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_learns_one_batch_by_heart(version: str) -> None:
    import keras

    keras.utils.set_random_seed(0)
    model = build_model(settings(version=version, weights=None), (64, 64, 3), {"label": 4})
    images, labels = np.random.default_rng(0).random((8, 64, 64, 3), np.float32), np.arange(8) % 4
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for _ in range(10):
        model.fit(np.tile(images, (20, 1, 1, 1)), np.tile(labels, 20), batch_size=8, shuffle=False, verbose=0)
        if np.array_equal(np.asarray(model(images)).argmax(axis=1), labels):
            return
    pytest.fail(f"SqueezeNet {version} had not learned eight images after 200 steps")


@pytest.mark.slow  # needs the published weights
@pytest.mark.skipif(not WEIGHTS.exists(), reason=f"{WEIGHTS} is not there")
def test_layers_have_the_names_of_the_published_file() -> None:
    with h5py.File(WEIGHTS) as file:
        published = [name.decode().replace("/", "_") for name in file.attrs["layer_names"]]
    ours = [layer.name for layer in settings().build_body((227, 227, 3)).layers]
    assert [name for name in ours if name in published] == [
        name
        for name in published
        if name not in ("input_1", "conv10", "relu_conv10", "globalaveragepooling2d_1", "loss")
    ]
    assert set(ours) - set(published) == {"image", "pixel_range", "features"}


@pytest.mark.slow  # needs the published weights and photographs
@pytest.mark.skipif(not WEIGHTS.exists(), reason=f"{WEIGHTS} is not there")
def test_published_weights_know_a_cat_and_a_dog() -> None:
    import cv2

    model = build_model(settings(), (227, 227, 3), {"label": 1000})
    load_published(model.layers[:-1], WEIGHTS)
    with h5py.File(WEIGHTS) as file:
        kernel, bias = file["conv10/conv10_W:0"][()], file["conv10/conv10_b:0"][()]
    model.layers[-1].set_weights([kernel.reshape(512, 1000), bias])
    # ImageNet's classes 151 to 268 are dogs, 281 to 285 domestic cats. Of 150 photographs each it knew 97 cats and 142
    # dogs; with pixels of -1 to 1 or 0 to 1 in the network, none.
    for kind, classes in (("cat", range(281, 286)), ("dog", range(151, 269))):
        files = sorted((DATA / "cats_vs_dogs" / "train").glob(f"{kind}.*.jpg"))[:50]
        images = [cv2.resize(cv2.imread(str(file))[..., ::-1], (227, 227)) for file in files]
        answers = np.asarray(model(np.stack(images).astype(np.float32) / 255)).argmax(axis=1)
        assert sum(int(answer) in classes for answer in answers) > 25, (kind, answers)
