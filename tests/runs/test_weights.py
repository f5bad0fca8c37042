from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from imgclf.errors import ImgclfError
from imgclf.models.heads import build_model
from imgclf.models.lenet import LeNet
from imgclf.models.mlp import Mlp
from imgclf.models.simple_cnn import SimpleCnn
from imgclf.runs.weights import load_weights, save_weights

SHAPE = (8, 8, 1)
# The first two dense layers have one shape: Keras itself would not notice if they changed places.
NETWORK = Mlp(name="mlp", dense_units=(64, 64), dropout=0.5)
IMAGES = np.random.default_rng(0).random((4, *SHAPE), np.float32)


def build(seed: int, settings: Any = NETWORK) -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    model = build_model(settings, SHAPE, {"label": 3})
    # No zeros and no ones: their change of places would not be seen.
    model.set_weights([np.random.default_rng(seed).uniform(0.1, 0.9, array.shape) for array in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "last.weights.h5"
    save_weights(build(1), path)
    return path


@pytest.fixture
def spoilt(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    path = tmp_path / "spoilt.weights.h5"
    path.write_bytes(saved.read_bytes())
    return path


@pytest.mark.parametrize(
    "settings",
    [
        NETWORK,
        LeNet(name="lenet", filters=(2, 2), dense_units=(4, 4)),
        SimpleCnn(name="simple_cnn", blocks=((2, 2), (2,)), batch_norm=True, padding="same", dense_units=(4,)),
    ],
    ids=lambda settings: settings.name,
)
def test_weights_come_back_bit_for_bit(tmp_path: Path, settings: Any) -> None:
    first, second = build(1, settings), build(2, settings)
    save_weights(first, tmp_path / "last.weights.h5")
    load_weights(second, tmp_path / "last.weights.h5")
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_the_file_loads_into_the_same_network_built_by_hand_in_keras(tmp_path: Path) -> None:
    import keras
    from keras import layers

    network = SimpleCnn(name="simple_cnn", blocks=((3,), (2,)), padding="same", batch_norm=True, dense_units=(6, 5))
    ours = build(1, network)
    save_weights(ours, tmp_path / "last.weights.h5")
    by_hand = keras.Sequential([layers.Input(SHAPE)])
    for filters in (3, 2):
        by_hand.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        by_hand.add(layers.MaxPooling2D())
        by_hand.add(layers.BatchNormalization())
        by_hand.add(layers.ReLU())
    by_hand.add(layers.Flatten())
    by_hand.add(layers.Dense(6, activation="relu"))
    by_hand.add(layers.Dense(5, activation="relu"))
    by_hand.add(layers.Dense(3))
    by_hand.load_weights(tmp_path / "last.weights.h5")
    np.testing.assert_allclose(by_hand(IMAGES), ours(IMAGES), rtol=1e-5, atol=1e-5)


def test_a_file_that_keras_wrote_loads(tmp_path: Path) -> None:
    first, second = build(1), build(2)
    first.compile("adam", "sparse_categorical_crossentropy")
    first.save_weights(tmp_path / "keras.weights.h5")
    load_weights(second, tmp_path / "keras.weights.h5")
    np.testing.assert_array_equal(second(IMAGES), first(IMAGES))


def test_writing_leaves_one_whole_file(tmp_path: Path) -> None:
    for _ in range(2):
        save_weights(build(1), tmp_path / "last.weights.h5")
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.weights.h5"]


def swap_layers(file: h5py.File) -> None:
    file.move("layers/dense", "layers/held")
    file.move("layers/dense_1", "layers/dense")
    file.move("layers/held", "layers/dense_1")


def swap_names(file: h5py.File) -> None:
    first, second = file["layers/dense/vars"].attrs, file["layers/dense_1/vars"].attrs
    first["name"], second["name"] = second["name"], first["name"]


def replace(file: h5py.File, path: str, array: np.ndarray) -> None:
    del file[path]
    file[path] = array


def link_out(file: h5py.File) -> None:
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.ExternalLink("other.h5", "/layers/dense/vars/0")


def link_layer_out(file: h5py.File) -> None:
    del file["layers/dense"]
    file["layers/dense"] = h5py.ExternalLink("other.h5", "/layers/dense")


def link_within(file: h5py.File) -> None:
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.SoftLink("/layers/dense_1/vars/0")


def keep_elsewhere(file: h5py.File) -> None:
    """The numbers are raw bytes of any other file that whoever loads this may read."""
    del file["layers/dense/vars/0"]
    file["layers/dense/vars"].create_dataset("0", (64, 64), "f4", external=[("other.h5", 0, 64 * 64 * 4)])


def keep_virtually(file: h5py.File) -> None:
    del file["layers/dense/vars/0"]
    layout = h5py.VirtualLayout((64, 64), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "layers/dense/vars/0", (64, 64))
    file["layers/dense/vars"].create_virtual_dataset("0", layout)


def declare_much(file: h5py.File) -> None:
    del file["layers/dense/vars/0"]
    file["layers/dense/vars"].create_dataset("0", (10**6, 10**6), "f4")


def add_layer(file: h5py.File) -> None:
    group = file.create_group("layers/dense_3/vars")
    group["0"], group.attrs["name"] = np.zeros(3), "of_another_model"


def add_array(file: h5py.File) -> None:
    file["layers/dense/vars/2"] = np.zeros(3)


SPOILERS: dict[str, tuple[Callable[[h5py.File], object], ...]] = {
    "expected layer dense_1, found dense_2; expected layer dense_2, found dense_1": (swap_layers, swap_names),
    "dense_1/kernel must be float32 (64, 64); found float32 (64, 63)": (
        lambda file: replace(file, "layers/dense/vars/0", np.zeros((64, 63), np.float32)),
    ),
    "dense_1/kernel must be float32 (64, 64); found float64 (64, 64)": (
        lambda file: replace(file, "layers/dense/vars/0", np.zeros((64, 64))),
    ),
    "dense_1/bias must be float32 (64,); found object ()": (
        lambda file: replace(file, "layers/dense/vars/1", np.array("text", h5py.string_dtype())),
    ),
    "dense_1/kernel must be float32 (64, 64); found float32 (1000000, 1000000)": (declare_much,),
    "dense_1/kernel must lie in the file itself": (keep_elsewhere, keep_virtually),
    "dense_1/kernel is missing": (link_out, link_within),
    "layer dense_1 is missing": (
        link_layer_out,
        lambda file: file.pop("layers/dense"),
        lambda file: replace(file, "layers/dense/vars", np.zeros(3)),
    ),
    "layer dense_1 must have 2 arrays; found 1; dense_1/bias is missing": (
        lambda file: file.pop("layers/dense/vars/1"),
    ),
    "layer dense_1 must have 2 arrays; found 3": (add_array,),
    "layer of_another_model is not in the model": (add_layer,),
    "expected layer dense_1, found one without a name": (lambda file: file["layers/dense/vars"].attrs.clear(),),
    "layer dense_1 is missing; layer dense_2 is missing; layer logits_label is missing": (
        lambda file: file.pop("layers"),
        lambda file: replace(file, "layers", np.zeros(3)),
    ),
}


@pytest.mark.parametrize(
    ("message", "spoil"), [(message, spoil) for message, spoilers in SPOILERS.items() for spoil in spoilers]
)
def test_a_file_that_is_not_of_this_model_is_refused_unread(
    spoilt: Path, monkeypatch: pytest.MonkeyPatch, message: str, spoil: Callable[[h5py.File], object]
) -> None:
    (spoilt.parent / "other.h5").write_bytes(spoilt.read_bytes())
    with h5py.File(spoilt, "r+") as file:
        spoil(file)
    model = build(2)
    before = model.get_weights()
    read: list[str] = []
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda dataset, _: read.append(dataset.name))
    with pytest.raises(ImgclfError) as refused:
        load_weights(model, spoilt)
    assert str(refused.value).startswith(f"{spoilt}: not the weights of this model: ")
    assert message in str(refused.value)
    assert read == []
    for one, other in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_a_wrong_array_in_the_last_layer_leaves_the_first_ones_alone(spoilt: Path) -> None:
    with h5py.File(spoilt, "r+") as file:
        replace(file, "layers/dense_2/vars/1", np.zeros(4, np.float32))
    model = build(2)
    before = model.get_weights()
    with pytest.raises(ImgclfError, match=r"logits_label/bias must be float32 \(3,\); found float32 \(4,\)"):
        load_weights(model, spoilt)
    assert np.array_equal(model.get_weights()[0], before[0])


def test_the_weights_of_another_network_are_refused_with_the_first_differences(saved: Path) -> None:
    other = build(1, SimpleCnn(name="simple_cnn", blocks=((2, 2, 2, 2, 2),), padding="same", dense_units=(6,)))
    with pytest.raises(ImgclfError, match=r"layer conv_1_1 is missing; .* and \d+ more"):
        load_weights(other, saved)


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(40)])
def test_what_is_no_hdf5_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "text.weights.h5").write_bytes(content)
    with pytest.raises(ImgclfError, match="not a Keras weights file"):
        load_weights(build(2), tmp_path / "text.weights.h5")


def test_a_file_that_was_cut_off_is_refused(spoilt: Path) -> None:
    spoilt.write_bytes(spoilt.read_bytes()[:-2000])
    with pytest.raises(ImgclfError, match="not a Keras weights file"):
        load_weights(build(2), spoilt)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImgclfError, match=r"none\.weights\.h5: no such weights file"):
        load_weights(build(2), tmp_path / "none.weights.h5")
