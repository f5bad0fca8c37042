"""Weights files: plain Keras `.weights.h5`, and a loader that takes no layer for another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgclf.errors import ImgclfError
from imgclf.runs.files import replacing
from imgclf.runs.hdf5 import SHOWN, inside, layer_name, place_problems, settle_normalization, snake_case
from imgclf.runs.patient import PatientFile
from imgclf.texts import few

if TYPE_CHECKING:
    import h5py
    import keras


def save_weights(model: keras.Model, path: Path) -> None:
    """Write the model's weights as Keras does, whole or not at all. Raises WorkFailed where the system refuses."""
    with replacing(path) as temporary, closing(PatientFile(temporary)) as file:
        model.save_weights(file, overwrite=True)


def load_weights(model: keras.Model, path: Path) -> None:
    """Fill ``model`` from a file of :func:`save_weights` or of Keras.

    Keras names the groups of the file by the layers' classes, so that two layers of one shape could change places
    unseen; here each layer's own name, and the shape and type of each of its arrays, must be those of the model.
    Links are not followed: they may lead out of the file. Raises ImgclfError that lists what differs; the model is
    then unchanged, and nothing was read but the file's table of contents. The arrays are read one at a time:
    where one is broken, those before it are in the model already.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            arrays = list(keras_groups(model))
            problems = [problem for layer in arrays for problem in _problems(file, *layer)]
            problems += _strangers(file, {group for group, _, _ in arrays}, "layers", set())
            if problems:
                raise ImgclfError(f"{path}: not the weights of this model: {few(problems, SHOWN, '; ')}")
            for group, _, variables in arrays:
                for number, variable in enumerate(variables):
                    variable.assign(file[f"{group}/vars/{number}"][()])
    except FileNotFoundError as error:
        raise ImgclfError(f"{path}: no such weights file") from error
    except (OSError, RuntimeError, KeyError) as error:  # what h5py raises where the file's structure is broken
        raise ImgclfError(f"{path}: not a Keras weights file (HDF5): {error}") from error
    settle_normalization(model)


def array_digests(path: Path) -> dict[str, str]:
    """The SHA-256 of each array of a weights file, with its shape and type, by its place; empty without a file."""
    import h5py

    digests: dict[str, str] = {}
    if not path.is_file():
        return digests

    def add(name: str, held: Any) -> None:
        if isinstance(held, h5py.Dataset):
            digests[name] = f"{held.dtype} {held.shape} {hashlib.sha256(held[()].tobytes()).hexdigest()}"

    with h5py.File(path, "r") as file:
        file.visititems(add)
    return digests


def keras_groups(model: keras.Model, place: str = "layers") -> Iterator[tuple[str, str, list[Any]]]:
    """Keras' group, the layer's name and its variables, for each layer in order; models inside the model are opened."""
    import keras

    counts: dict[str, int] = {}
    for layer in model.layers:
        kind = snake_case(type(layer).__name__)
        number = counts[kind] = counts.get(kind, -1) + 1
        group = f"{place}/{kind}_{number}" if number else f"{place}/{kind}"
        if isinstance(layer, keras.Model):
            yield from keras_groups(layer, f"{group}/layers")
        else:
            yield group, layer.name, own_variables(layer)


def own_variables(layer: keras.Layer) -> list[Any]:
    """What Keras 3 files of a layer, in its order, but for the seed of dropout: that is set from the step."""
    return [variable for variable in layer.variables if "seed_generator" not in variable.path]


def _problems(file: h5py.File, group: str, layer: str, variables: list[Any]) -> Iterator[str]:
    import h5py

    if not variables:
        return
    held = inside(file, f"{group}/vars")
    if not isinstance(held, h5py.Group):
        yield f"layer {layer} is missing"
        return
    name = layer_name(held)
    if name != layer:
        yield f"expected layer {layer}, found {name or 'one without a name'}"
    if len(held) != len(variables):
        yield f"layer {layer} must have {len(variables)} arrays; found {len(held)}"
    for number, variable in enumerate(variables):
        yield from _array_problems(inside(held, str(number)), f"{layer}/{variable.name}", variable)


def _array_problems(array: Any, name: str, variable: Any) -> Iterator[str]:
    if problems := list(place_problems(array, name)):
        yield from problems
    elif array.shape != tuple(variable.shape) or array.dtype != variable.dtype:
        want = f"{variable.dtype} {tuple(variable.shape)}"
        yield f"{name} must be {want}; found {array.dtype} {array.shape}"


def _strangers(file: h5py.File, groups: set[str], place: str, seen: set[int]) -> Iterator[str]:
    """Layers with arrays that the model has not, at any depth of the models inside it.

    ``seen`` are the addresses of the groups that were looked into: groups may hold each other.
    """
    import h5py

    layers = inside(file, place)
    if not isinstance(layers, h5py.Group) or (address := h5py.h5o.get_info(layers.id).addr) in seen:
        return
    seen.add(address)
    for name in layers:
        group = f"{place}/{name}"
        held = inside(file, f"{group}/vars")
        if group not in groups and held is not None and len(held):
            yield f"layer {layer_name(held) or name} is not in the model"
        yield from _strangers(file, groups, f"{group}/layers", seen)
