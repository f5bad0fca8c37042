from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from imgclf.errors import ImgclfError
from imgclf.runs.published import load_published

IMAGES = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)


def network(names: tuple[str, ...] = ("first", "second", "norm"), top: int = 0) -> Any:
    """Two convolutions of one shape and a normalisation; ``top`` dense layers above."""
    from keras import Sequential, layers

    first, second, norm = names
    made = [
        layers.Input((8, 8, 3), name="image"),
        layers.Conv2D(3, 3, padding="same", name=first),
        layers.Conv2D(3, 3, padding="same", name=second),
        layers.BatchNormalization(name=norm),
        layers.GlobalAveragePooling2D(name="pool"),
        *(layers.Dense(3, name=f"top_{number}") for number in range(top)),
    ]
    model = Sequential(made)
    model.set_weights([np.random.default_rng(5).uniform(0.1, 0.9, one.shape) for one in model.get_weights()])
    return model


def emptied(model: Any) -> Any:
    model.set_weights([np.zeros_like(one) for one in model.get_weights()])
    return model


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """What Keras itself writes in its old layout."""
    network().save(tmp_path / "network.h5")
    return tmp_path / "network.h5"


def test_a_file_of_keras_comes_in_bit_for_bit(saved: Path) -> None:
    model = emptied(network())
    assert load_published(model.layers, saved) == 8
    np.testing.assert_array_equal(model(IMAGES), network()(IMAGES))


def test_a_file_of_weights_alone_is_the_same(saved: Path, tmp_path: Path) -> None:
    with h5py.File(saved) as whole, h5py.File(tmp_path / "weights.h5", "w") as alone:
        for name in whole["model_weights"]:
            whole.copy(f"model_weights/{name}", alone)
        for key, value in whole["model_weights"].attrs.items():
            alone.attrs[key] = value
    model = emptied(network())
    assert load_published(model.layers, tmp_path / "weights.h5") == 8
    np.testing.assert_array_equal(model(IMAGES), network()(IMAGES))


def test_names_in_several_pieces_are_one_list(saved: Path) -> None:
    with h5py.File(saved, "r+") as file:
        attributes = file["model_weights"].attrs
        names = list(attributes["layer_names"])
        del attributes["layer_names"]
        attributes["layer_names0"], attributes["layer_names1"] = names[:2], names[2:]
    model = emptied(network())
    assert load_published(model.layers, saved) == 8
    np.testing.assert_array_equal(model(IMAGES), network()(IMAGES))


def test_layers_of_one_shape_are_told_apart_by_name_whatever_their_order_in_the_file(saved: Path) -> None:
    with h5py.File(saved, "r+") as file:
        attributes = file["model_weights"].attrs
        names = list(attributes["layer_names"])
        names[names.index("first")], names[names.index("second")] = "second", "first"
        attributes["layer_names"] = names
    model = emptied(network())
    load_published(model.layers, saved)
    np.testing.assert_array_equal(model(IMAGES), network()(IMAGES))


def test_layers_with_other_names_are_taken_in_their_order(tmp_path: Path) -> None:
    network(("conv2d_94", "conv2d_95", "batch_normalization_94")).save(tmp_path / "network.h5")
    model = emptied(network())
    load_published(model.layers, tmp_path / "network.h5")
    np.testing.assert_array_equal(model(IMAGES), network()(IMAGES))


@pytest.mark.parametrize("names", [("first", "second", "norm"), ("conv2d_3", "conv2d_4", "bn")])
def test_a_file_with_the_top_serves_a_body_without_it(tmp_path: Path, names: tuple[str, str, str]) -> None:
    with_top = network(names, top=2)
    with_top.save(tmp_path / "network.h5")
    model = emptied(network())
    assert load_published(model.layers, tmp_path / "network.h5") == 8
    for one, other in zip(model.get_weights(), with_top.get_weights(), strict=False):
        np.testing.assert_array_equal(one, other)


def test_a_file_without_the_top_does_not_serve_a_body_with_it(saved: Path) -> None:
    with pytest.raises(ImgclfError, match="it has 4 layers with weights, the file 3; top_0 is missing"):
        load_published(network(top=1).layers, saved)


def test_a_file_with_much_above_the_body_is_of_another_network(tmp_path: Path) -> None:
    network(top=4).save(tmp_path / "network.h5")
    with pytest.raises(ImgclfError, match="the file 7; top_0 is not in the network"):
        load_published(network().layers, tmp_path / "network.h5")


def test_a_file_with_a_layer_in_the_middle_is_of_another_network(saved: Path) -> None:
    with pytest.raises(ImgclfError, match="second is not in the network"):
        load_published([layer for layer in network().layers if layer.name != "second"], saved)


def array(file: h5py.File) -> tuple[h5py.Group, str]:
    """The group and the name of the first layer's kernel."""
    group = file["model_weights/first"]
    path = group.attrs["weight_names"][0]
    path = path.decode() if isinstance(path, bytes) else path
    parent, _, name = path.rpartition("/")
    return (group[parent] if parent else group), name


def put(file: h5py.File, value: Any) -> None:
    group, name = array(file)
    del group[name]
    group[name] = value


def put_outside(file: h5py.File) -> None:
    group, name = array(file)
    del group[name]
    group.create_dataset(name, (3, 3, 3, 3), "f4", external=[("other.h5", 0, 324)])


def put_virtually(file: h5py.File) -> None:
    group, name = array(file)
    del group[name]
    layout = h5py.VirtualLayout((3, 3, 3, 3), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "array", (3, 3, 3, 3))
    group.create_virtual_dataset(name, layout)


def declare_much(file: h5py.File) -> None:
    group, name = array(file)
    del group[name]
    group.create_dataset(name, (10**4, 10**4, 10**4, 3), "f4")


SPOILERS: list[tuple[str, Callable[[h5py.File], object]]] = [
    ("first/kernel is missing", lambda file: put(file, h5py.SoftLink("/model_weights/second"))),
    ("first/kernel is missing", lambda file: put(file, h5py.ExternalLink("other.h5", "/array"))),
    ("first/kernel must lie in the file itself", put_outside),
    ("first/kernel must lie in the file itself", put_virtually),
    (r"first/kernel must be float32 \(3, 3, 3, 3\); found float32 \(10000, ", declare_much),
    (r"must be float32 \(3, 3, 3, 3\); found float32 \(3, 3, 3\)", lambda f: put(f, np.zeros((3, 3, 3), "f4"))),
    ("must be float32 .*; found int64", lambda file: put(file, np.zeros((3, 3, 3, 3), np.int64))),
    ("must be float32 .*; found object", lambda file: put(file, np.full((3, 3, 3, 3), "x", h5py.string_dtype()))),
    ("layer first is missing", lambda file: file.pop("model_weights/first")),
    ("first must have 2 arrays; found 1", lambda f: f["model_weights/first"].attrs.__setitem__("weight_names", [b"a"])),
    ("it has no list of layer_names", lambda file: file["model_weights"].attrs.pop("layer_names")),
    ("it has no list of layer_names", lambda file: file.pop("model_weights")),
]


@pytest.mark.parametrize(("message", "spoil"), SPOILERS)
def test_a_file_that_is_not_of_this_network_is_refused_unread(
    saved: Path, monkeypatch: pytest.MonkeyPatch, message: str, spoil: Callable[[h5py.File], object]
) -> None:
    with h5py.File(saved.parent / "other.h5", "w") as other:
        other["array"] = np.zeros((3, 3, 3, 3), np.float32)
    with h5py.File(saved, "r+") as file:
        spoil(file)
    model, read = network(), []
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda dataset, _: read.append(dataset.name))
    with pytest.raises(ImgclfError, match=message):
        load_published(model.layers, saved)
    assert read == []
    for one, other in zip(model.get_weights(), network().get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("names", [("first", "second", "norm"), ("conv2d_7", "conv2d_8", "batch_normalization_3")])
@pytest.mark.parametrize("top", [0, 2])
def test_a_file_of_keras_3_serves_as_well(names: tuple[str, str, str], top: int, tmp_path: Path) -> None:
    network(names, top).save_weights(tmp_path / "some.weights.h5")
    model = emptied(network())
    assert load_published(model.layers, tmp_path / "some.weights.h5") == 8
    np.testing.assert_array_equal(model(IMAGES), network()(IMAGES))


def test_a_file_of_keras_3_is_in_order_beyond_ten_layers_of_a_class(tmp_path: Path) -> None:
    from keras import Sequential, layers

    def chain(prefix: str) -> Any:
        dense = [layers.Dense(2, name=f"{prefix}_{number}") for number in range(12)]
        return Sequential([layers.Input((2,), name="numbers"), *dense])

    model, other = chain("a"), chain("b")  # names differ, so that the places count
    other.save_weights(tmp_path / "chain.weights.h5")
    assert load_published(model.layers, tmp_path / "chain.weights.h5") == 24
    np.testing.assert_array_equal(model(np.eye(2)), other(np.eye(2)))


def test_layers_inside_a_layer_come_from_a_file_of_keras_3(tmp_path: Path) -> None:
    from keras import Sequential, layers

    def nested(names: str) -> Any:
        stem = [layers.Conv2D(3, 1, name=f"{names}a"), layers.BatchNormalization(), layers.Conv2D(3, 1)]
        return Sequential([layers.Input((8, 8, 3), name="image"), Sequential(stem, name=names), layers.Conv2D(3, 1)])

    filled, empty = nested("stem"), nested("other")
    filled.set_weights([np.random.default_rng(5).uniform(0.1, 0.9, one.shape) for one in filled.get_weights()])
    filled.save_weights(tmp_path / "nested.weights.h5")
    assert load_published(empty.layers, tmp_path / "nested.weights.h5") == 10
    np.testing.assert_array_equal(empty(IMAGES), filled(IMAGES))


def test_a_file_of_keras_3_with_one_more_layer_of_a_class_is_of_another_network(tmp_path: Path) -> None:
    from keras import Sequential, layers

    convolutions = [layers.Conv2D(3, 3, padding="same", name=f"convolution_{number}") for number in range(3)]
    larger = Sequential([layers.Input((8, 8, 3)), *convolutions, layers.BatchNormalization()])
    larger.save_weights(tmp_path / "larger.weights.h5")
    with pytest.raises(ImgclfError, match="it has 3 layers with weights, the file 4; first is missing"):
        load_published(network().layers, tmp_path / "larger.weights.h5")


@pytest.mark.parametrize("linked", ["layers", "vars"])
def test_names_of_a_file_of_keras_3_are_counted_however_often_they_are_linked(linked: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "links.weights.h5", "w") as file:
        layers = file.create_group("layers")
        variables = layers.create_group("dense/vars")
        for number in range(1_000):
            variables[str(number)] = variables["0"] if number else np.zeros(1, np.float32)
        if linked == "layers":
            layers["dense/layers"] = layers  # in itself, without an end
        for number in range(1, 1_000):
            layers[f"dense_{number}"] = layers["dense"]
    with pytest.raises(ImgclfError, match="it names more than 100,000 arrays"):
        load_published(network().layers, tmp_path / "links.weights.h5")


def test_a_file_of_keras_3_that_is_of_another_network_is_refused(tmp_path: Path) -> None:
    network(top=4).save_weights(tmp_path / "tall.weights.h5")
    with pytest.raises(ImgclfError, match="it has 3 layers with weights, the file 7; top_0 is not in the network"):
        load_published(network().layers, tmp_path / "tall.weights.h5")
    network(top=1).save_weights(tmp_path / "short.weights.h5")
    with h5py.File(tmp_path / "short.weights.h5", "a") as file:
        del file["layers/conv2d/vars/1"]
    with pytest.raises(ImgclfError, match="first must have 2 arrays; found 1"):
        load_published(network().layers, tmp_path / "short.weights.h5")


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(40)])
def test_what_is_no_hdf5_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "text.h5").write_bytes(content)
    with pytest.raises(ImgclfError, match="not a weights file of Keras"):
        load_published(network().layers, tmp_path / "text.h5")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImgclfError, match=r"none\.h5: no such weights file"):
        load_published(network().layers, tmp_path / "none.h5")


def test_half_floats_are_taken_as_numbers(saved: Path) -> None:
    with h5py.File(saved, "r+") as file:
        put(file, np.full((3, 3, 3, 3), 0.25, np.float16))
    model = emptied(network())
    load_published(model.layers, saved)
    assert (model.get_layer("first").kernel.numpy() == 0.25).all()
