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

SHOWN = 5  # problems in a message


def save_weights(model: keras.Model, path: Path) -> None:
    """Write the model's weights as Keras does, whole or not at all."""
    with replacing(path) as temporary:
        model.save_weights(temporary, overwrite=True)


def load_weights(model: keras.Model, path: Path) -> None:
    """Fill ``model`` from a file of :func:`save_weights` or of Keras.

    Keras names the groups of the file by the layers' classes, so that two layers of one shape could change places
    unseen; here each layer's own name, and the shape and type of each of its arrays, must be those of the model.
    Links are not followed: they may lead out of the file. Raises ImgclfError that lists what differs; the model is
    then unchanged, and nothing was read but the file's table of contents.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            arrays = list(_expected(model))
            problems = [problem for layer in arrays for problem in _problems(file, *layer)]
            problems += _strangers(file, {group for group, _, _ in arrays})
            if problems:
                raise ImgclfError(f"{path}: not the weights of this model: {_few(problems)}")
            filled = [
                (variable, file[f"{group}/vars/{number}"][()])
                for group, _, variables in arrays
                for number, variable in enumerate(variables)
            ]
    except FileNotFoundError as error:
        raise ImgclfError(f"{path}: no such weights file") from error
    except (OSError, RuntimeError, KeyError) as error:  # what h5py raises where the file's structure is broken
        raise ImgclfError(f"{path}: not a Keras weights file (HDF5): {error}") from error
    for variable, array in filled:
        variable.assign(array)


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
    held = _inside(file, f"{group}/vars")
    if not isinstance(held, h5py.Group):
        yield f"layer {layer} is missing"
        return
    name = _name(held)
    if name != layer:
        yield f"expected layer {layer}, found {name or 'one without a name'}"
    if len(held) != len(variables):
        yield f"layer {layer} must have {len(variables)} arrays; found {len(held)}"
    for number, variable in enumerate(variables):
        yield from _array_problems(_inside(held, str(number)), f"{layer}/{variable.name}", variable)


def _array_problems(array: Any, name: str, variable: Any) -> Iterator[str]:
    import h5py

    if not isinstance(array, h5py.Dataset):
        yield f"{name} is missing"
    elif array.external or array.is_virtual:
        yield f"{name} must lie in the file itself; found a reference to another file"
    elif array.shape != tuple(variable.shape) or array.dtype != variable.dtype:
        want = f"{variable.dtype} {tuple(variable.shape)}"
        yield f"{name} must be {want}; found {array.dtype} {array.shape}"


def _inside(group: h5py.Group, path: str) -> Any:
    """What lies at ``path`` in the file itself; None where there is nothing or a link."""
    import h5py

    held: Any = group
    for part in path.split("/"):
        if not isinstance(held, h5py.Group) or held.get(part, getclass=True, getlink=True) is not h5py.HardLink:
            return None
        held = held[part]
    return held


def _strangers(file: h5py.File, groups: set[str]) -> Iterator[str]:
    """Layers with arrays that the model has not."""
    import h5py

    layers = _inside(file, "layers")
    for name in layers if isinstance(layers, h5py.Group) else ():
        held = _inside(file, f"layers/{name}/vars")
        if f"layers/{name}" not in groups and held is not None and len(held):
            yield f"layer {_name(held) or name} is not in the model"


def _name(group: h5py.Group) -> str | None:
    name = group.attrs.get("name")
    return name if isinstance(name, str) else None


def _few(problems: list[str]) -> str:
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return "; ".join(problems[:SHOWN]) + more


def _snake_case(name: str) -> str:
    """The name under which Keras files a class: Conv2D is conv2d, BatchNormalization is batch_normalization."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
