"""Weights files: given to `evaluate --weights` (ours), and as `model.weights` (those that Keras publishes)."""

from __future__ import annotations

import base64
import io
import json
import marshal
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

Attack = Callable[..., Any]

CONFIG = "dataset: {name: digits}\nmodel: {name: mlp, dense_units: [8]}\ntraining: {epochs: 1}\n"
PUBLISHED = "dataset: {name: digits}\nmodel: {name: squeezenet, weights: evil.h5}\ntraining: {epochs: 1}\n"
LAYER, KERNEL = "layers/dense/vars", (64, 8)


class Touch:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def inflates_to_a_gigabyte() -> bytes:
    """A zlib stream without an end: one block of a megabyte, again and again."""
    packer = zlib.compressobj(9)
    first, again = (packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * 1023


def plain(file: h5py.File) -> None:
    for group, name, shapes in (
        (LAYER, "dense_1", (KERNEL, (8,))),
        ("layers/dense_1/vars", "logits_label", ((8, 10), (10,))),
    ):
        made = file.create_group(group)
        made.attrs["name"] = name
        for number, shape in enumerate(shapes):
            made[str(number)] = np.zeros(shape, "f4")


def kernel(file: h5py.File, **options: Any) -> h5py.Dataset:
    del file[f"{LAYER}/0"]
    return file.create_dataset(f"{LAYER}/0", dtype="f4", **options)


def terabyte(file: h5py.File) -> None:
    kernel(file, shape=(500_000, 500_000), chunks=(500, 500))


def inflating(file: h5py.File) -> None:
    made = kernel(file, shape=KERNEL, chunks=KERNEL, compression="gzip")
    made.id.write_direct_chunk((0, 0), inflates_to_a_gigabyte())


def large_chunk(file: h5py.File) -> None:
    kernel(file, shape=KERNEL, maxshape=(None, None), chunks=(30_000, 30_000), compression="gzip")


def foreign_filter(file: h5py.File) -> None:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk(KERNEL)
    properties.set_filter(40_000, h5py.h5z.FLAG_OPTIONAL, (1,))
    del file[f"{LAYER}/0"]
    h5py.h5d.create(file[LAYER].id, b"0", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(KERNEL), dcpl=properties)


def external(file: h5py.File) -> None:
    kernel(file, shape=KERNEL, external=[("../beside.bin", 0, 64 * 8 * 4)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(KERNEL, "f4")
    layout[:] = h5py.VirtualSource("../beside.h5", "secret", KERNEL)
    del file[f"{LAYER}/0"]
    file.create_virtual_dataset(f"{LAYER}/0", layout)


def linked(link: Any) -> Callable[[h5py.File], None]:
    def spoil(file: h5py.File) -> None:
        del file[f"{LAYER}/0"]
        file[f"{LAYER}/0"] = link

    return spoil


def circle(file: h5py.File) -> None:
    for name in ("a", "b"):
        group = file.create_group(f"layers/{name}")
        group.create_group("vars")["0"] = 0.0
        group["layers"] = file["layers"]


def name_of_many(file: h5py.File) -> None:
    del file[LAYER].attrs["name"]
    file[LAYER].attrs["name"] = np.array(["x" * 30_000] * 1000, h5py.string_dtype())


def name_of_escapes(file: h5py.File) -> None:
    file[LAYER].attrs["name"] = "\x1b]0;title\x07\x9b31m"


def name_of_pickle(file: h5py.File) -> None:
    file[LAYER].attrs["name"] = np.void(pickle.dumps(Touch()))


def objects(file: h5py.File) -> None:
    del file[f"{LAYER}/0"]
    file.create_dataset(f"{LAYER}/0", KERNEL, h5py.special_dtype(vlen=np.dtype("f4")))


RUN_FILES: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "a data set that declares a terabyte": (terabyte, "in chunks"),
    "a chunk of 1 MB that unpacks to a gigabyte": (inflating, "in chunks"),
    "a chunk of 3.6 GB for 2 kB of data": (large_chunk, "in chunks"),
    "a filter that would be loaded": (foreign_filter, "in chunks"),
    "data in another file": (external, "must lie in the file itself"),
    "a virtual data set": (virtual, "must lie in the file itself"),
    "an external link": (linked(h5py.ExternalLink("../beside.h5", "secret")), "kernel is missing"),
    "a soft link": (linked(h5py.SoftLink("/layers/dense/vars/1")), "kernel is missing"),
    "a soft link to itself": (linked(h5py.SoftLink(f"/{LAYER}/0")), "kernel is missing"),
    "groups in a circle": (circle, "layer a is not in the model; layer b is not in the model"),
    "a name of a thousand texts": (name_of_many, "found one without a name"),
    "a name of escape sequences": (name_of_escapes, "expected layer dense_1"),
    "a pickle for a name": (name_of_pickle, "found one without a name"),
    "lists for numbers": (objects, "kernel must be float32"),
}


def pwned(x: Any) -> Any:
    __import__("pathlib").Path("pwned").touch()
    return x


def lambda_model() -> str:
    """The config of a model with a Lambda layer: as Keras saves it, with the bytes of a Python function."""
    code = base64.b64encode(marshal.dumps(pwned.__code__)).decode()
    function = {"class_name": "__lambda__", "config": {"code": code, "defaults": None, "closure": None}}
    layers = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, 8, 8, 1], "name": "input"}},
        {"class_name": "Lambda", "config": {"name": "lambda", "function": function}},
    ]
    return json.dumps({"class_name": "Sequential", "config": {"name": "evil", "layers": layers}})


def lambda_keras(path: Path) -> None:
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        plain(file)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.12.0"}')
        archive.writestr("config.json", lambda_model())
        archive.writestr("model.weights.h5", weights.getvalue())


def lambda_h5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = lambda_model()
        file.create_group("model_weights").attrs["layer_names"] = np.array([b"lambda"])


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps(Touch()))


def climbing(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../beside.txt", "pwned")


WHOLE_MODELS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "a .keras file with a Lambda layer": ("evil.keras", lambda_keras, "not a Keras weights file (HDF5)"),
    "an .h5 file with a Lambda layer": ("evil.h5", lambda_h5, "not the weights of this model"),
    "a .keras file that is a pickle": ("evil.keras", pickled, "not a Keras weights file (HDF5)"),
    "a .keras file with a name that climbs": ("evil.keras", climbing, "not a Keras weights file (HDF5)"),
}


@pytest.fixture
def config(work: Path) -> str:
    with h5py.File(work.parent / "beside.h5", "w") as file:
        file["secret"] = np.ones(KERNEL, "f4")
    (work.parent / "beside.bin").write_bytes(bytes(64 * 8 * 4))
    (work / "mlp.yaml").write_text(CONFIG)
    return "mlp.yaml"


def test_the_plain_file_is_taken(attack: Attack, work: Path, config: str) -> None:
    with h5py.File(work / "plain.weights.h5", "w") as file:
        plain(file)
    assert "test accuracy" in attack("evaluate", "--weights", "plain.weights.h5", "--config", config, status=0).out


@pytest.mark.parametrize("name", RUN_FILES)
def test_a_weights_file_is_refused(name: str, attack: Attack, work: Path, config: str) -> None:
    spoil, message = RUN_FILES[name]
    with h5py.File(work / "evil.weights.h5", "w") as file:
        plain(file)
        spoil(file)
    assert message in attack("evaluate", "--weights", "evil.weights.h5", "--config", config).error()


@pytest.mark.parametrize("name", WHOLE_MODELS)
def test_a_whole_model_is_not_run(name: str, attack: Attack, work: Path, config: str) -> None:
    file, make, message = WHOLE_MODELS[name]
    make(work / file)
    assert message in attack("evaluate", "--weights", file, "--config", config).error()


def layer_names(names: Any) -> Callable[[h5py.File], None]:
    def spoil(file: h5py.File) -> None:
        file.attrs["layer_names"] = names

    return spoil


def layer(content: Callable[[h5py.Group], None]) -> Callable[[h5py.File], None]:
    def spoil(file: h5py.File) -> None:
        file.attrs["layer_names"] = np.array([b"conv1"])
        content(file.create_group("conv1"))
        file["conv1"].attrs["weight_names"] = np.array([b"kernel", b"bias"])

    return spoil


def published_inflating(group: h5py.Group) -> None:
    made = group.create_dataset("kernel", (3, 3, 3, 64), "f4", chunks=(3, 3, 3, 64), compression="gzip")
    made.id.write_direct_chunk((0, 0, 0, 0), inflates_to_a_gigabyte())
    group["bias"] = np.zeros(64, "f4")


def published_outside(group: h5py.Group) -> None:
    group.create_dataset("kernel", (3, 3, 3, 64), "f4", external=[("../beside.bin", 0, 3 * 3 * 3 * 64 * 4)])
    group["bias"] = h5py.ExternalLink("../beside.h5", "secret")


def repeated(file: h5py.File) -> None:
    """Two thousand times one layer, which has two thousand names."""
    group = file.create_group("conv1")
    group.attrs["weight_names"] = np.array([b"a"] * 2000)
    file.attrs["layer_names"] = np.array([b"conv1"] * 2000)


def long_text(file: h5py.File) -> None:
    """A thousand names that are one and the same text of 10 MB: their places in the file are written over."""
    file.attrs["layer_names"] = np.array(["x" * 10_000_000] + ["y"] * 999, h5py.string_dtype())
    path = Path(file.filename)
    file.close()
    content = path.read_bytes()
    start = content.index(struct.pack("<I", 10_000_000))
    place = content[start : start + 16]
    path.write_bytes(content[:start] + place * 1000 + content[start + 16_000 :])


KERAS_FILES: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "a text of 10 MB named a thousand times": (long_text, "names of up to 10.0 MB each"),
    "one layer named two thousand times": (repeated, "names more than 100,000 arrays"),
    "a pickle for a list of names": (layer_names(np.void(pickle.dumps(Touch()))), "is no list of names"),
    "a layer name of escape sequences": (layer_names(np.array([b"\x1b[2J"])), "is missing"),
    "a kernel that unpacks to a gigabyte": (layer(published_inflating), "not the weights of this network"),
    "a kernel and a bias of other files": (layer(published_outside), "not the weights of this network"),
}


@pytest.mark.slow  # each builds SqueezeNet, which takes a second
@pytest.mark.parametrize("name", KERAS_FILES)
def test_a_published_file_is_refused(name: str, attack: Attack, work: Path, config: str) -> None:  # noqa: ARG001
    spoil, message = KERAS_FILES[name]
    with h5py.File(work / "evil.h5", "w") as file:
        spoil(file)
    (work / "squeezenet.yaml").write_text(PUBLISHED)
    assert message in attack("train", "squeezenet.yaml").error()


ATTACKS = [*RUN_FILES, *WHOLE_MODELS, *KERAS_FILES]
