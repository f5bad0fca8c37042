from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from imgclf.experiment.load import load_experiment
from imgclf.models.heads import build_model
from imgclf.models.initializers import PlainInitializer
from imgclf.models.quickdraw_cnn import QuickdrawCnn
from imgclf.models.simple_cnn import SimpleCnn
from imgclf.models.small_vgg import SmallVgg


def test_simple_cnn_draws_its_weights_in_the_order_of_its_layers() -> None:
    settings = SimpleCnn(name="simple_cnn", blocks=((4, 5), (6,)), block_dropout=0.1, dense_units=(8, 7))
    keras.utils.set_random_seed(3)
    ours = build_model(settings, (14, 14, 1), {"label": 10})
    keras.utils.set_random_seed(3)
    by_hand = keras.Sequential(
        [
            layers.Input((14, 14, 1)),
            *[layers.Conv2D(4, 3, activation="relu"), layers.Conv2D(5, 3, activation="relu")],
            *[layers.MaxPooling2D(2), layers.Dropout(0.1)],
            *[layers.Conv2D(6, 3, activation="relu"), layers.MaxPooling2D(2), layers.Dropout(0.1)],
            *[layers.Flatten(), layers.Dropout(0.3)],
            *[layers.Dense(8, "relu"), layers.Dropout(0.3), layers.Dense(7, "relu"), layers.Dropout(0.3)],
            layers.Dense(10),
        ]
    )
    assert all(map(np.array_equal, ours.get_weights(), by_hand.get_weights()))
    images = np.random.default_rng(0).random((2, 14, 14, 1), np.float32)
    assert np.array_equal(ours(images, training=True), by_hand(images, training=True))  # the same dropout


def test_quickdraw_cnn_is_the_network_of_its_config() -> None:
    of_config = load_experiment("cnn_quickdraw").experiment.model
    networks = []
    for settings in (QuickdrawCnn(name="quickdraw_cnn"), of_config):
        keras.utils.set_random_seed(1)
        networks.append(build_model(settings, (28, 28, 1), {"label": 10}))
    ours, theirs = networks
    for layer, other in zip(ours.layers, theirs.layers, strict=True):
        assert (type(layer), layer.get_config()) == (type(other), other.get_config())
        assert all(map(np.array_equal, layer.get_weights(), other.get_weights()))
    # By hand: 28 to 26, 13, 11, 5 pixels.
    assert ours.count_params() == (9 * 32 + 32) + (9 * 32 * 64 + 64) + (25 * 64 * 128 + 128) + (128 * 10 + 10)


@pytest.mark.slow  # builds two networks of 138 million weights
def test_vgg16_can_be_written_as_a_small_vgg() -> None:
    zeros = PlainInitializer(name="zeros")  # nothing to draw
    settings = SmallVgg(
        name="small_vgg",
        stages=((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)),
        padding="same",
        flatten_dropout=0.0,
        dense_units=(4096, 4096),
        kernel_initializer=zeros,
    )
    ours = build_model(settings, (224, 224, 3), {"label": 1000})
    assert ours.count_params() == 138_357_544
    theirs = keras.applications.VGG16(weights=None)
    assert [layer.output.shape for layer in ours.layers] == [layer.output.shape for layer in theirs.layers]
