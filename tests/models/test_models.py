from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imgclf.models.alexnet import AlexNet
from imgclf.models.base import ModelSettings
from imgclf.models.elu_cnn import EluCnn
from imgclf.models.googlenet import GoogLeNet
from imgclf.models.heads import build_model
from imgclf.models.initializers import zeros_for_random
from imgclf.models.lenet import LeNet
from imgclf.models.mlp import Mlp
from imgclf.models.perceptron import Perceptron
from imgclf.models.quickdraw_cnn import QuickdrawCnn
from imgclf.models.simple_cnn import SimpleCnn
from imgclf.models.small_vgg import SmallVgg
from imgclf.models.spatial_transformer import SpatialTransformer
from imgclf.runs.weights import load_weights, save_weights
from imgclf.settings import ImageShape

MNIST = (28, 28, 1)
SMALL: list[ModelSettings] = [
    Perceptron(name="perceptron"),
    Mlp(name="mlp", dense_units=(32, 16)),
    LeNet(name="lenet", filters=(4, 8), dense_units=(32,)),
    EluCnn(name="elu_cnn", blocks=((4,), (8,)), block_dropout=(0.0, 0.0), weight_decay=0.0, dense_units=(32,)),
    SimpleCnn(
        name="simple_cnn",
        blocks=((4,), (8,)),
        batch_norm=True,
        flatten_dropout=0.0,
        dense_units=(32,),
        dense_dropout=0.0,
    ),
    QuickdrawCnn(name="quickdraw_cnn", filters=(4, 8), pool_dropout=0.0, dense_units=(32,), dense_dropout=0.0),
    SmallVgg(name="small_vgg", stages=((4, 4), (8,)), flatten_dropout=0.0, dense_units=(32,), padding="same"),
    SmallVgg(name="small_vgg", stages=((4,), (8,)), batch_norm=True, flatten_dropout=0.0, dense_units=(32,)),
    AlexNet(
        name="alexnet",
        filters=(8, 16, 16, 16, 16),
        padding="same",
        first_strides=1,
        dense_units=(32,),
        dense_dropout=0.0,
    ),
    AlexNet(
        name="alexnet",
        filters=(8, 16, 16, 16, 16),
        kernel_sizes=(3, 3, 3, 3, 3),
        first_strides=1,
        padding="same",
        local_response_normalization=False,
        dense_units=(32, 32),
        dense_dropout=0.0,
    ),
    GoogLeNet(name="googlenet", stem_filters=(8, 8, 16), stages=(((8, 8, 16, 4, 8, 8),),), dropout=0.0),
    GoogLeNet(
        name="googlenet",
        stem_filters=(8, 8, 16),
        stages=(((8, 8, 16, 4, 8, 8),),),
        local_response_normalization=False,
        batch_norm=True,
        dropout=0.0,
    ),
    SpatialTransformer(
        name="spatial_transformer",
        localisation_filters=(4,),
        localisation_dense_units=(8,),
        blocks=((4,), (8,)),
        padding="same",
        dense_units=(32,),
    ),
]
SIZES: list[ModelSettings] = [
    LeNet(name="lenet", filters=(2,), dense_units=()),
    LeNet(name="lenet", filters=(2, 2, 2), dense_units=(3, 3)),
    EluCnn(name="elu_cnn", blocks=((2,), (2, 2)), block_dropout=(0.1, 0.0)),
    SimpleCnn(name="simple_cnn", dense_units=()),
    SimpleCnn(name="simple_cnn", blocks=((2, 2), (2,)), dense_units=(2,)),
    SimpleCnn(name="simple_cnn", blocks=((2,), (2, 2)), pool_size=3, kernel_size=5, dense_units=(2,)),
    SimpleCnn(name="simple_cnn", blocks=((2, 2), (2,)), padding="same", batch_norm=True, dense_units=(2,)),
    SimpleCnn(name="simple_cnn", blocks=((2,), (2,)), pool_size=1, dense_units=(2,)),
    QuickdrawCnn(name="quickdraw_cnn"),
    QuickdrawCnn(name="quickdraw_cnn", filters=(2, 2, 2), kernel_size=2, dense_units=()),
    SmallVgg(name="small_vgg"),
    SmallVgg(name="small_vgg", stages=((2, 2), (2, 2, 2)), pool_size=3, dense_units=()),
    AlexNet(name="alexnet", filters=(2, 2, 2, 2, 2), dense_units=(2,)),
    AlexNet(name="alexnet", filters=(2, 2, 2, 2, 2), kernel_sizes=(3, 5, 3, 3, 3), first_strides=1, dense_units=(2,)),
    AlexNet(name="alexnet", filters=(2, 2, 2, 2, 2), pool_size=2, pool_strides=3, dense_units=(2,)),
    AlexNet(name="alexnet", filters=(2, 2, 2, 2, 2), padding="same", dense_units=()),
    GoogLeNet(name="googlenet"),
    SpatialTransformer(name="spatial_transformer"),
    SpatialTransformer(name="spatial_transformer", localisation_filters=(2, 2, 2, 2), localisation_dense_units=()),
    SpatialTransformer(name="spatial_transformer", localisation_filters=(2,), sampled_size=12, transform="rotation"),
]


def build(settings: ModelSettings, shape: tuple[int, int, int] = MNIST, classes: int = 10) -> Any:
    return build_model(settings, shape, {"label": classes})


def text(settings: ModelSettings) -> str:
    return settings.model_dump_json(
        include={"name", "filters", "blocks", "dense_units", "padding", "pool_size", "stages", "batch_norm"}
    )


def test_published_networks_have_their_number_of_parameters() -> None:
    assert build(Perceptron(name="perceptron")).count_params() == 7_850
    assert build(Mlp(name="mlp", dense_units=(64,))).count_params() == 50_890
    assert build(LeNet(name="lenet")).count_params() == 1_256_080
    # 64 and 128 filters of 3x3, unpadded, pooled from 24x24 to 12x12; dense 1024.
    assert build(SimpleCnn(name="simple_cnn")).count_params() == 640 + 73_856 + 1024 * (128 * 144 + 1) + 10_250
    # The small network for cats and dogs of Keras' blog, at 150x150 with one output.
    as_simple_cnn = SimpleCnn(name="simple_cnn", blocks=((32,), (64,), (128,), (128,)), dense_units=(512,))
    for settings in (as_simple_cnn, SmallVgg(name="small_vgg")):
        assert build(settings, (150, 150, 3), 1).count_params() == 3_453_121


def test_the_elu_network_of_the_tutorials_is_the_one_built_by_hand_in_keras() -> None:
    from keras import Sequential, layers, regularizers

    body = [layers.Input((32, 32, 3))]
    for filters, dropout in ((32, 0.2), (64, 0.3), (128, 0.4)):
        for _ in range(2):
            body += [layers.Conv2D(filters, 3, padding="same", kernel_regularizer=regularizers.L2(1e-4))]
            body += [layers.Activation("elu"), layers.BatchNormalization()]
        body += [layers.MaxPooling2D(2), layers.Dropout(dropout)]
    by_hand = Sequential([*body, layers.Flatten(), layers.Dense(10)])
    ours = build(EluCnn(name="elu_cnn"), (32, 32, 3))
    by_hand.set_weights(ours.get_weights())
    images = np.random.default_rng(0).random((3, 32, 32, 3), np.float32)
    assert ours.count_params() == by_hand.count_params() == 309_290
    assert np.allclose(ours(images).numpy(), by_hand(images).numpy(), atol=1e-5)
    assert np.isclose(float(sum(ours.losses)), float(sum(by_hand.losses)))


@pytest.mark.parametrize("settings", SMALL, ids=lambda settings: settings.name)
def test_learns_one_batch_by_heart(settings: ModelSettings) -> None:
    import keras

    keras.utils.set_random_seed(0)
    model = build(settings, (12, 12, 1), 4)
    numbers = np.random.default_rng(0)
    images, labels = numbers.random((16, 12, 12, 1), np.float32), np.arange(16) % 4
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, jit_compile=False)
    # The same batch sixty times.
    model.fit(np.tile(images, (60, 1, 1, 1)), np.tile(labels, 60), batch_size=16, shuffle=False, verbose=0)
    assert np.array_equal(model(images, training=True).numpy().argmax(axis=1), labels)


@pytest.mark.slow  # a minute each
@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("settings", "side"),
    [
        (AlexNet(name="alexnet", dense_dropout=0.0), 67),
        (AlexNet(name="alexnet", dense_dropout=0.0, local_response_normalization=False), 67),
        (GoogLeNet(name="googlenet", dropout=0.0), 64),
    ],
    ids=lambda one: getattr(one, "name", one),
)
def test_networks_of_the_published_size_learn_one_batch_by_heart(settings: ModelSettings, side: int) -> None:
    import keras

    keras.utils.set_random_seed(0)
    model = build(settings, (side, side, 3), 4)
    images, labels = np.random.default_rng(0).random((8, side, side, 3), np.float32), np.arange(8) % 4
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-4), loss, jit_compile=False)
    for _ in range(30):
        model.fit(np.tile(images, (10, 1, 1, 1)), np.tile(labels, 10), batch_size=8, shuffle=False, verbose=0)
        if np.array_equal(np.asarray(model(images)).argmax(axis=1), labels):
            return
    pytest.fail(f"{settings} had not learned eight images after 300 steps")


@pytest.mark.slow  # 2.8 GB of weights
@pytest.mark.exhaustive
def test_the_tutorials_network_for_cats_and_dogs_has_its_698_million_weights() -> None:
    # 148x148 and 146x146 after unpadded convolutions, 73x73 after the one pooling.
    counted = (27 + 1) * 64 + (9 * 64 + 1) * 128 + (73 * 73 * 128 + 1) * 1024 + (1024 + 1) * 2
    assert counted == 698_561_410
    with zeros_for_random():
        model = build(SimpleCnn(name="simple_cnn", blocks=((64, 128),)), (150, 150, 3), 2)
    assert model.count_params() == counted


@pytest.mark.parametrize("settings", [*SMALL, *SIZES], ids=text)
def test_the_smallest_image_is_the_smallest_that_builds(settings: ModelSettings) -> None:
    height, width = settings.smallest_image()
    assert build(settings, (height, width, 1)).output_shape == (None, 10)
    if height > 1:
        assert not builds(settings, (height - 1, width, 1))
        assert not builds(settings, (height, width - 1, 1))


def builds(settings: ModelSettings, shape: ImageShape) -> bool:
    """Whether a network with something in every layer comes out; Keras before 3.13 also builds layers of no pixels."""
    try:
        model = build(settings, shape)
    except ValueError:
        return False
    return all(0 not in layer.output.shape for layer in model.layers)


@pytest.mark.parametrize(
    ("settings", "layers"),
    [
        (Perceptron(name="perceptron"), ["image", "flatten"]),
        (
            Mlp(name="mlp", dense_units=(5, 4, 3), dropout=0.5),
            [
                "image",
                "flatten",
                "dense_1",
                "dense_dropout_1",
                "dense_2",
                "dense_dropout_2",
                "dense_3",
                "dense_dropout_3",
            ],
        ),
        (LeNet(name="lenet", filters=(3,), dense_units=()), ["image", "conv_1", "pool_1", "flatten"]),
        (
            SimpleCnn(name="simple_cnn", blocks=((2, 3), (4,)), flatten_dropout=0.0, dense_units=()),
            ["image", "conv_1_1", "conv_1_2", "pool_1", "conv_2_1", "pool_2", "flatten"],
        ),
        (
            SmallVgg(name="small_vgg", stages=((2, 2),), batch_norm=True, stage_dropout=0.1, dense_units=(2,)),
            [
                *["image", "conv_1_1", "norm_1_1", "activation_1_1"],
                *["conv_1_2", "pool_1", "norm_1_2", "activation_1_2", "dropout_1"],
                *["flatten", "flatten_dropout", "dense_1"],
            ],
        ),
        (
            QuickdrawCnn(name="quickdraw_cnn"),
            [
                *["image", "conv_1_1", "pool_1", "dropout_1", "conv_2_1", "pool_2", "dropout_2"],
                *["flatten", "dense_1", "dense_dropout_1"],
            ],
        ),
        (
            AlexNet(name="alexnet", padding="same", dense_units=(3, 3)),
            [
                *["image", "conv_1", "response_1", "pool_1", "conv_2", "response_2", "pool_2"],
                *["conv_3", "conv_4", "conv_5", "pool_5", "flatten"],
                *["dense_1", "dense_dropout_1", "dense_2", "dense_dropout_2"],
            ],
        ),
        (
            GoogLeNet(name="googlenet", stages=(((1, 2, 3, 4, 5, 6),),)),
            [
                *["image", "conv_1", "pool_1", "response_1", "conv_2_reduce", "conv_2", "response_2", "pool_2"],
                *["conv_3a_3x3_reduce", "conv_3a_5x5_reduce", "pool_3a"],
                *["conv_3a_1x1", "conv_3a_3x3", "conv_3a_5x5", "conv_3a_projection", "concat_3a"],
                *["average", "dropout"],
            ],
        ),
    ],
)
def test_layers_have_the_same_names_however_many_networks_were_built_before(
    settings: ModelSettings, layers: list[str]
) -> None:
    for _ in range(2):
        model = build(settings)
        assert [layer.name for layer in model.layers] == [*layers, "logits_label"]
        assert model.name == settings.name


def test_lists_of_sizes_are_the_layers_sizes() -> None:
    model = build(SimpleCnn(name="simple_cnn", blocks=((2, 3), (4,)), dense_units=(7, 6)))
    assert [model.get_layer(name).filters for name in ("conv_1_1", "conv_1_2", "conv_2_1")] == [2, 3, 4]
    assert [model.get_layer(name).units for name in ("dense_1", "dense_2", "logits_label")] == [7, 6, 10]


def test_initialisers_and_activation_reach_the_layers() -> None:
    settings = LeNet.model_validate(
        {
            "name": "lenet",
            "activation": "elu",
            "kernel_initializer": {"name": "constant", "value": 0.5},
            "bias_initializer": {"name": "random_uniform", "minval": 2.0, "maxval": 3.0},
            "head": {"name": "softmax", "kernel_initializer": {"name": "random_normal", "stddev": 1.0}},
        }
    )
    model = build(settings)
    assert model.get_layer("conv_1").activation.__name__ == model.get_layer("dense_1").activation.__name__ == "elu"
    kernel, bias = model.get_layer("conv_2").get_weights()
    assert np.all(kernel == 0.5)
    assert 2 <= bias.min() < bias.max() <= 3
    head, zeros = model.get_layer("logits_label").get_weights()
    assert 0.95 < head.std() < 1.05  # 5,000 numbers
    assert not zeros.any()


def test_the_first_weights_depend_on_the_seed_alone() -> None:
    import keras

    def weights(seed: int) -> np.ndarray:
        keras.utils.set_random_seed(seed)
        return np.concatenate([array.reshape(-1) for array in build(SMALL[2]).get_weights()])

    first = weights(1)
    build(SMALL[1])
    assert np.array_equal(weights(1), first)
    assert not np.array_equal(weights(2), first)


@pytest.mark.parametrize("settings", SMALL, ids=lambda settings: settings.name)
def test_three_steps_on_digits_are_saved_and_come_back(settings: ModelSettings, tmp_path: Path) -> None:
    import keras
    import tensorflow as tf
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.asarray(keras.ops.image.resize(digits.images[:48, ..., None].astype(np.float32) / 16, (16, 16)))
    model, fresh = build(settings, (16, 16, 1)), build(settings, (16, 16, 1))
    before = [weights.copy() for weights in model.get_weights()]
    optimizer, loss = keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for first in (0, 16, 32):
        with tf.GradientTape() as tape:
            error = loss(digits.target[first : first + 16], model(images[first : first + 16], training=True))
        optimizer.apply(tape.gradient(error, model.trainable_variables), model.trainable_variables)
    assert any(not np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))
    save_weights(model, tmp_path / "last.weights.h5")
    load_weights(fresh, tmp_path / "last.weights.h5")
    np.testing.assert_array_equal(np.asarray(fresh(images)), np.asarray(model(images)))
