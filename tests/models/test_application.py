from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import ValidationError

from imgclf.models.application import Application
from imgclf.models.cost import multiply_adds
from imgclf.models.heads import build_model, cut
from imgclf.models.initializers import zeros_for_random
from imgclf.models.networks import NETWORKS, ApplicationName
from imgclf.pretrained import load_pretrained
from imgclf.runs.published import load_published
from imgclf.runs.weights import load_weights, save_weights

SMALL = ("VGG16", "ResNet50", "MobileNet", "MobileNetV2", "MobileNetV3Small", "EfficientNetB0")
IMAGES = np.random.default_rng(0).random((3, 40, 36, 3), np.float32)


def slow_but(*fast: str) -> list[Any]:
    """Every network; those that are not ``fast`` take from two seconds to a minute to build and to run."""
    marks = [pytest.mark.slow, pytest.mark.exhaustive]
    return [name if name in fast else pytest.param(name, marks=marks) for name in get_args(ApplicationName)]


def settings(name: Any, **keys: Any) -> Application:
    return Application(name="application", application=name, **keys)


def build(name: Any, shape: tuple[int, int, int] = (40, 36, 3), classes: int = 10, **keys: Any) -> Any:
    return build_model(settings(name, **keys), shape, {"label": classes})


def keras_network(name: str) -> Any:
    import keras

    return getattr(keras.applications, name)


def test_every_network_of_keras_applications_is_there() -> None:
    import keras

    offered = {name for name in dir(keras.applications) if name[0].isupper()}
    assert offered == set(get_args(ApplicationName)) == set(NETWORKS)


def test_published_networks_have_their_number_of_parameters() -> None:
    assert build("VGG16", (224, 224, 3), 1000, top=True).count_params() == 138_357_544


# As https://keras.io/api/applications and the publishers' own summaries have them, with 1,000 classes.
PUBLISHED = {
    "Xception": 22_910_480,
    "ResNet50": 25_636_712,
    "ResNet101": 44_707_176,
    "ResNet152": 60_419_944,
    "ResNet50V2": 25_613_800,
    "ResNet101V2": 44_675_560,
    "ResNet152V2": 60_380_648,
    "InceptionV3": 23_851_784,
    "InceptionResNetV2": 55_873_736,
    "MobileNet": 4_253_864,
    "MobileNetV2": 3_538_984,
    "DenseNet121": 8_062_504,
    "DenseNet169": 14_307_880,
    "DenseNet201": 20_242_984,
    "NASNetMobile": 5_326_716,
    "NASNetLarge": 88_949_818,
    "EfficientNetB0": 5_330_571,
    "EfficientNetB1": 7_856_239,
    "EfficientNetB2": 9_177_569,
    "EfficientNetB3": 12_320_535,
    "EfficientNetB4": 19_466_823,
    "EfficientNetB5": 30_562_527,
    "EfficientNetB6": 43_265_143,
    "EfficientNetB7": 66_658_687,
    "EfficientNetV2B0": 7_200_312,
    "EfficientNetV2B1": 8_212_124,
    "EfficientNetV2B2": 10_178_374,
    "EfficientNetV2S": 21_612_360,
    "EfficientNetV2M": 54_431_388,
    "EfficientNetV2L": 119_027_848,
    "ConvNeXtTiny": 28_589_128,
    "ConvNeXtSmall": 50_223_688,
    "ConvNeXtBase": 88_591_464,
    "ConvNeXtLarge": 197_767_336,
    "ConvNeXtXLarge": 350_196_968,
}


@pytest.mark.slow  # two to twenty seconds each
@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "parameters"), PUBLISHED.items())
def test_more_published_networks_have_their_number_of_parameters(name: str, parameters: int) -> None:
    with zeros_for_random():
        assert build(name, classes=1000).count_params() == parameters


@pytest.mark.slow  # two to ten seconds each
@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "parameters"), [("MobileNetV3Small", 2_554_968), ("MobileNetV3Large", 5_507_432)])
def test_networks_with_layers_above_the_last_maps_have_their_number_of_parameters(name: str, parameters: int) -> None:
    assert build(name, (224, 224, 3), 1000, top=True).count_params() == parameters


@pytest.mark.slow  # 144 million parameters
def test_vgg19_with_its_top_has_its_number_of_parameters() -> None:
    assert build("VGG19", (224, 224, 3), 1000, top=True).count_params() == 143_667_240


def test_multiply_adds_are_those_of_the_paper() -> None:
    # "569 million mult-adds" (Howard et al., 2017, table 4).
    assert round(multiply_adds(build("MobileNet", (224, 224, 3), 1000)), -6) == 569e6


@pytest.mark.slow  # two to ten seconds for each of these graphs
def test_multiply_adds_inside_models_and_of_separable_convolutions_are_those_of_the_papers() -> None:
    # "4.5G" (Liu et al., 2022, table 1); "564M" (Zoph et al., 2018, table 2), and there "8.4 billion" for Xception.
    assert round(multiply_adds(build("ConvNeXtTiny", (224, 224, 3), 1000)), -8) == 4.5e9

    assert round(multiply_adds(build("NASNetMobile", (224, 224, 3), 1000)), -6) == 564e6
    assert round(multiply_adds(build("Xception", (299, 299, 3), 1000)), -8) == 8.4e9


@pytest.mark.parametrize("name", slow_but(*SMALL))
def test_trains_three_steps_and_its_weights_come_back(name: str, tmp_path: Path) -> None:
    import keras
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = (digits.images[:4, ..., None] / 16).astype(np.float32), digits.target[:4]
    keras.utils.set_random_seed(0)
    model = build(name, (8, 8, 1), weights=None)
    before = model.layers[-1].kernel.numpy()
    train_three_steps(model, images, labels)
    assert not np.array_equal(model.layers[-1].kernel, before)
    give_numbers_to_what_did_not_train(model)
    save_weights(model, tmp_path / "last.weights.h5")
    wanted = np.asarray(model(images))
    assert np.isfinite(wanted).all()
    fresh = build(name, (8, 8, 1), weights=None)
    for load in (load_weights, lambda fresh, path: fresh.load_weights(path)):
        fresh.layers[-1].kernel.assign(np.zeros_like(before))
        assert not np.array_equal(fresh(images), wanted)
        load(fresh, tmp_path / "last.weights.h5")
        np.testing.assert_array_equal(fresh(images), wanted)


@pytest.mark.slow  # ten seconds to a minute for each
@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["VGG16", "VGG19", "InceptionV3", "ResNet50", "DenseNet121", "MobileNetV2"])
def test_learns_one_batch_by_heart(name: str) -> None:
    import keras

    keras.utils.set_random_seed(0)
    model = build(name, (32, 32, 3), 4, weights=None)
    images, labels = np.random.default_rng(0).random((8, 32, 32, 3), np.float32), np.arange(8) % 4
    model.compile(keras.optimizers.Adam(2e-4), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for _ in range(10):
        model.fit(np.tile(images, (10, 1, 1, 1)), np.tile(labels, 10), batch_size=8, shuffle=False, verbose=0)
        if np.array_equal(np.asarray(model(images, training=True)).argmax(axis=1), labels):
            return
    pytest.fail(f"{name} had not learned eight images after 100 steps")


def train_three_steps(model: Any, images: np.ndarray, labels: np.ndarray) -> None:
    import keras
    import tensorflow as tf

    optimizer, loss = keras.optimizers.SGD(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for _ in range(3):
        with tf.GradientTape() as tape:
            error = loss(labels, model(images, training=True))
        optimizer.apply(tape.gradient(error, model.trainable_variables), model.trainable_variables)


def give_numbers_to_what_did_not_train(model: Any) -> None:
    """EfficientNet's own normalisation begins with zeros and ones: a loader that left it out would not be seen."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt_mean.assign([0.4, 0.5, 0.6])
            layer.adapt_variance.assign([0.2, 0.3, 0.4])
            layer.finalize_state()


@pytest.mark.parametrize("name", slow_but("VGG16", "MobileNetV3Small"))
def test_a_file_of_keras_gives_the_features_of_keras(name: str, tmp_path: Path) -> None:
    """Keras' network on bytes through its preprocess_input, and ours on the same pixels of 0 to 1."""
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    shape = (80, 80, 3)
    theirs = keras_network(name)(include_top=False, weights=None, input_shape=shape, pooling="avg")
    shake_statistics(theirs)
    with h5py.File(tmp_path / "network.h5", "w") as file:  # as published: the weights alone
        legacy_h5_format.save_weights_to_hdf5_group(file, theirs)
    theirs.save_weights(tmp_path / "network.weights.h5")
    pixels = np.random.default_rng(1).integers(0, 256, (2, *shape)).astype(np.float32)
    module = importlib.import_module(keras_network(name).__module__)
    wanted = np.asarray(theirs(module.preprocess_input(pixels.copy())))
    scale = np.abs(wanted).max()
    assert scale > 0
    for file in ("network.h5", "network.weights.h5"):
        ours = settings(name).build_body(shape)
        assert load_published(ours.layers, tmp_path / file) == sum(len(layer.weights) for layer in ours.layers)
        settings(name).finish_loading(ours)
        np.testing.assert_allclose(np.asarray(ours(pixels / 255)) / scale, wanted / scale, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("VGG16", "block3_pool"), pytest.param("EfficientNetB0", "block3a_expand_activation", marks=pytest.mark.slow)],
)
def test_a_network_that_is_cut_has_the_features_of_that_layer(name: str, layer: str, tmp_path: Path) -> None:
    import keras

    theirs = keras_network(name)(include_top=False, weights=None, input_shape=(64, 64, 3))
    shake_statistics(theirs)
    theirs.save_weights(tmp_path / "network.weights.h5")
    asked = settings(name, weights=str(tmp_path / "network.weights.h5"), cut=layer)
    model = build_model(asked, (64, 64, 3), {"label": 3})
    pretrained = load_pretrained(model, asked, tmp_path / "network.weights.h5")
    below = keras.Model(theirs.input, theirs.get_layer(layer).output)
    assert pretrained.arrays == len(below.weights)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3)).astype(np.float32)
    module = importlib.import_module(keras_network(name).__module__)
    wanted = np.asarray(below(module.preprocess_input(pixels.copy()))).mean(axis=(1, 2))
    found = np.asarray(cut(model)[0](pixels / 255))
    np.testing.assert_allclose(found / np.abs(wanted).max(), wanted / np.abs(wanted).max(), atol=1e-4)


def shake_statistics(model: Any) -> None:
    """Other moving statistics than zeros and ones, which a loader that swapped them would not show."""
    import keras

    numbers = np.random.default_rng(2)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(numbers.normal(0, 0.1, layer.moving_mean.shape))
            layer.moving_variance.assign(numbers.uniform(0.5, 2, layer.moving_variance.shape))


@pytest.mark.slow  # three networks are built, nine seconds
def test_efficientnet_is_that_which_keras_builds_with_its_imagenet_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras
    from keras.src.utils import file_utils

    published = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(64, 64, 3))
    normalization = next(one for one in published.layers if isinstance(one, keras.layers.Normalization))
    normalization.adapt_mean.assign([0.485, 0.456, 0.406])
    normalization.adapt_variance.assign([0.229, 0.224, 0.225])  # as the published files have it
    published.save(tmp_path / "efficientnetb0_notop.h5")
    monkeypatch.setattr(file_utils, "get_file", lambda name, *_, **__: tmp_path / name)
    theirs = keras.applications.EfficientNetB0(include_top=False, weights="imagenet", input_shape=(64, 64, 3))
    ours = settings("EfficientNetB0", pooling="flatten").build_body((64, 64, 3))
    load_published(ours.layers, tmp_path / "efficientnetb0_notop.h5")
    settings("EfficientNetB0").finish_loading(ours)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3)).astype(np.float32)
    wanted = np.asarray(theirs(pixels)).reshape(2, -1)
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(np.asarray(ours(pixels / 255)) / scale, wanted / scale, atol=1e-4)


@pytest.mark.parametrize("name", get_args(ApplicationName))
def test_sides_are_those_that_keras_asks_for(name: Any) -> None:
    network = NETWORKS[name]
    side = network.least_side - 1
    with pytest.raises(ValueError, match=f"at least {network.least_side}x{network.least_side}"):
        keras_network(name)(include_top=False, weights=None, input_shape=(side, side, 3))
    if "MobileNet" in name and "NAS" not in name:
        assert network.side == 224  # Keras takes several sizes
        return
    with pytest.raises(ValueError, match=rf"\({network.side}, {network.side}, 3\)"):
        keras_network(name)(include_top=True, weights="imagenet", input_shape=(97, 98, 3))


class Asked(Exception):
    """Raised in place of a download, with the file's name."""


@pytest.mark.parametrize("name", slow_but("MobileNet"))
def test_the_publishers_files_are_those_that_keras_asks_for(name: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from keras.src.utils import file_utils

    def get_file(file_name: str, *_: Any, **__: Any) -> None:
        raise Asked(file_name)

    monkeypatch.setattr(file_utils, "get_file", get_file)
    side = NETWORKS[name].side
    for include_top, wanted in ((False, NETWORKS[name].without_top), (True, NETWORKS[name].with_top)):
        with pytest.raises(Asked) as asked:
            keras_network(name)(include_top=include_top, weights="imagenet", input_shape=(side, side, 3))
        assert str(asked.value) == wanted


def test_files_are_looked_for_under_our_name_and_the_publishers() -> None:
    wanted = settings("VGG16").published_weights()
    assert wanted is not None
    assert wanted.files == (
        "vgg16_imagenet_notop.h5",
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "vgg16_imagenet.h5",
        "vgg16_weights_tf_dim_ordering_tf_kernels.h5",
    )
    with_top = settings("VGG16", top=True).published_weights()
    assert with_top is not None
    assert with_top.files == wanted.files[2:]
    assert settings("VGG16", weights=None).published_weights() is None


@pytest.mark.parametrize(
    "name",
    [
        "MobileNetV3Small",
        pytest.param("InceptionV3", marks=pytest.mark.slow),  # two networks of 94 convolutions
    ],
)
def test_layers_have_the_same_names_however_many_networks_were_built_before(name: str) -> None:
    first, second = build(name, weights=None), build(name, weights=None)
    names = [operation.name for operation in first.operations]
    assert names == [operation.name for operation in second.operations]
    assert len(set(names)) == len(names)


def test_pooling_makes_features_of_the_last_maps() -> None:
    import keras

    maps = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(64, 96, 3))
    reduced = {
        "avg": lambda made: made.mean(axis=(1, 2)),
        "max": lambda made: made.max(axis=(1, 2)),
        "flatten": lambda made: made.reshape(len(made), -1),
    }
    images = np.random.default_rng(0).random((2, 64, 96, 3), np.float32)
    made = np.asarray(maps(images * 2 - 1))
    for pooling, reduce in reduced.items():
        body = settings("MobileNet", pooling=pooling).build_body((64, 96, 3))
        body.set_weights(maps.get_weights())
        np.testing.assert_allclose(body(images), reduce(made), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "last", "features"),
    [("VGG16", "fc2", 4096), ("MobileNet", "features", 1024), ("MobileNetV3Small", "features", 1024)],
)
def test_its_top_stays_below_the_classifier(name: Any, last: str, features: int) -> None:
    body = settings(name, top=True).build_body((224, 224, 3))
    assert (body.layers[-1].name, body.output_shape) == (last, (None, features))


def test_its_top_asks_for_the_published_size() -> None:
    assert settings("Xception", top=True).image_problem((299, 299, 3)) is None
    assert settings("Xception").image_problem((20, 30, 3)) is None
    assert settings("Xception", top=True).image_problem((224, 224, 3)) == (
        "Xception with its top takes images of 299x299 pixels; found 224x224"
    )
    with pytest.raises(ValidationError, match="has its own pooling"):
        settings("VGG16", top=True, pooling="max")


def test_images_stay_float32_up_to_the_first_convolution() -> None:
    from imgclf.training.precision import computing_in

    with computing_in("bfloat16"):
        body = settings("EfficientNetB0").build_body((32, 32, 3))
    computed = {layer.name: layer.compute_dtype for layer in body.layers}
    assert [computed[name] for name in ("pixel_range", "rescaling", "normalization")] == ["float32"] * 3
    assert computed["stem_conv"] == "bfloat16"
