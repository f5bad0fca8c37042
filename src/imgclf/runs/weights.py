"""Weights files: plain Keras `.weights.h5`, and a loader that takes no layer for another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgclf.errors import ImgclfError
from imgclf.runs.files import replacing

if TYPE_CHECKING:
    import h5py
    import keras


def save_weights(model: keras.Model, path: Path) -> None:
    """Write the model's weights as Keras does, whole or not at all."""
    with replacing(path) as temporary:
        model.save_weights(temporary, overwrite=True)


def load_weights(model: keras.Model, path: Path) -> None:
    """Fill ``model`` from a file of :func:`save_weights` or of Keras.

    Keras names the groups of the file by the layers' classes, so that two layers of one shape could change places
    unseen; here each layer's own name, and the shape and type of each of its arrays, must be those of the model.
    Raises ImgclfError that lists what differs; the model is then unchanged.
    """
    import h5py

    try:
        file = h5py.File(path, "r")
    except FileNotFoundError as error:
        raise ImgclfError(f"{path}: no such weights file") from error
    except OSError as error:
        raise ImgclfError(f"{path}: not a Keras weights file (HDF5): {error}") from error
    with file:
        arrays = list(_expected(model))
        problems = [
            problem for group, layer, variables in arrays for problem in _problems(file, group, layer, variables)
        ]
        problems += _strangers(file, {group for group, _, _ in arrays})
        if problems:
            raise ImgclfError(f"{path}: not the weights of this model: " + "; ".join(problems[:5]))
        for group, _, variables in arrays:
            for number, variable in enumerate(variables):
                variable.assign(file[f"{group}/vars/{number}"][()])


def _expected(model: keras.Model) -> Iterator[tuple[str, str, list[Any]]]:
    """Keras' group, the layer's name and its variables, for each layer in order."""
    counts: dict[str, int] = {}
    for layer in model.layers:
        kind = _snake_case(type(layer).__name__)
        number = counts[kind] = counts.get(kind, -1) + 1
        yield f"layers/{kind}_{number}" if number else f"layers/{kind}", layer.name, _variables(layer)


def _variables(layer: keras.Layer) -> list[Any]:
    # The seed of a dropout layer belongs to no result: it is set from the step.
    return [variable for variable in layer.variables if "seed_generator" not in variable.path]


def _problems(file: h5py.File, group: str, layer: str, variables: list[Any]) -> Iterator[str]:
    import h5py

    if not variables:
        return
    held = file.get(f"{group}/vars")
    if not isinstance(held, h5py.Group):
        yield f"layer {layer} is missing"
        return
    name = held.attrs.get("name")
    if name is not None and name != layer:
        yield f"expected layer {layer}, found {name}"
    if len(held) != len(variables):
        yield f"layer {layer} must have {len(variables)} arrays; found {len(held)}"
    for number, variable in enumerate(variables):
        array = held.get(str(number))
        if not isinstance(array, h5py.Dataset) or held.get(str(number), getlink=True).__class__ is not h5py.HardLink:
            yield f"array {number} of layer {layer} is missing"
        elif array.shape != tuple(variable.shape) or array.dtype != variable.dtype:
            want = f"{variable.dtype} {tuple(variable.shape)}"
            yield f"{layer}/{variable.name} must be {want}; found {array.dtype} {array.shape}"


def _strangers(file: h5py.File, groups: set[str]) -> list[str]:
    layers = file.get("layers", {})
    return [
        f"layer {layers[name]['vars'].attrs.get('name', name)} is not in the model"
        for name in layers
        if f"layers/{name}" not in groups and "vars" in layers[name] and len(layers[name]["vars"])
    ]


def _snake_case(name: str) -> str:
    """The name under which Keras files a class: Conv2D is conv2d, BatchNormalization is batch_normalization."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
