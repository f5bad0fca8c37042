"""Published weights: the HDF5 files of Keras, old (1 and 2) and new (3), into the body of a model."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf.errors import ImgclfError
from imgclf.runs.hdf5 import (
    SHOWN,
    inside,
    layer_name,
    longest_text_bytes,
    place_problems,
    settle_normalization,
    snake_case,
)
from imgclf.runs.weights import keras_groups, own_variables
from imgclf.texts import few, size_text

if TYPE_CHECKING:
    import h5py
    import keras

MOST_NAMES_BYTES = 2**28  # that one attribute could become; the longest text beside the names is the model's config
MOST_NAMES = 100_000  # of layers and arrays together
MOST_DEPTH = 8  # of layers inside layers
MOST_TOP_LAYERS = 3  # with weights, above the body: VGG's fc1, fc2 and predictions


@dataclass(frozen=True)
class _Saved:
    """A layer of the file that has arrays: its name, the group that holds them, and their paths in it.

    ``kind`` is the class by which Keras 3 files it; an older file does not say it, and has the paths in their order.
    """

    name: str
    group: h5py.Group
    paths: tuple[str, ...]
    kind: str | None = None


def load_published(layers: Sequence[keras.layers.Layer], path: Path) -> int:
    """Fill ``layers``, those of a body in its order, from a file that Keras published; returns how many arrays it were.

    A layer takes the arrays of that name where the file has all of the body's names, else those of its place among the
    layers with weights (names that Keras counts differ from file to file); in a file of Keras 3, which has no order
    of the layers but in each class, of its place among those of its class. The file may hold the published top above
    the body, nothing else besides: in a file of Keras 3, layers of other names, or else of classes that the body has
    not. Links are not followed. Raises ImgclfError that lists what differs, before anything was read but the file's
    table of contents.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            is_new = "layers" in file and not _has_names(file, "layer_names")
            saved = _saved_by_keras_3(file, layers) if is_new else _saved_layers(file)
            pairs = _pairs(layers, saved, path)
            problems = [problem for layer, saved in pairs for problem in _problems(layer, saved)]
            if problems:
                raise ImgclfError(f"{path}: not the weights of this network: {few(problems, SHOWN, '; ')}")
            return sum(_fill(layer, saved) for layer, saved in pairs)
    except FileNotFoundError as error:
        raise ImgclfError(f"{path}: no such weights file") from error
    except (OSError, RuntimeError, KeyError, ValueError) as error:  # what h5py raises where the structure is broken
        raise ImgclfError(f"{path}: not a weights file of Keras (HDF5): {error}") from error


def _saved_layers(file: h5py.File) -> list[_Saved]:
    """The layers of the file that have arrays, in its order."""
    import h5py

    # A whole model that Keras 2 saved has its weights in a group of this name.
    root = file if _has_names(file, "layer_names") else inside(file, "model_weights")
    if not isinstance(root, h5py.Group) or not _has_names(root, "layer_names"):
        raise ImgclfError(
            f"{file.filename}: not a weights file as Keras publishes them: it has no list of layer_names",
            hint="give a file of Keras' save_weights, or a whole model that it saved as HDF5",
        )
    saved: list[_Saved] = []
    count = 0
    for name in _names(root, "layer_names"):
        group = inside(root, name)
        if not isinstance(group, h5py.Group):
            raise ImgclfError(f"{file.filename}: not the weights of this network: layer {name} is missing")
        paths = _names(group, "weight_names")
        count += 1 + len(paths)
        if count > MOST_NAMES:
            raise _too_many(group)
        if paths:
            saved.append(_Saved(name.replace("/", "_"), group, tuple(paths)))
    return saved


def _saved_by_keras_3(file: h5py.File, layers: Sequence[keras.layers.Layer]) -> list[_Saved]:
    """The layers of a ``.weights.h5`` that have arrays: those for ``layers``, in their order, before the others.

    Keras 3 files the layers of a class by their number in the network: conv2d, conv2d_1, and so on.
    """
    import h5py

    held = inside(file, "layers")
    names = _few_names(held)
    _check_names(file, "the names of its layers", len(names), longest_text_bytes(file))
    by_class: dict[str, list[_Saved]] = {}
    count = 0
    for name in sorted(names, key=_class_and_number):
        group = inside(held, name)
        paths = tuple(_arrays(group, MOST_NAMES - count)) if isinstance(group, h5py.Group) else ()
        count += 1 + len(paths)
        if paths:
            kind, own = _class_and_number(name)[0], inside(group, "vars")
            saved = _Saved((own and layer_name(own)) or name, group, paths, kind)
            by_class.setdefault(kind, []).append(saved)
    wanted = [snake_case(type(layer).__name__) for layer in layers if layer.weights]
    ordered = [by_class[one].pop(0) for one in wanted if by_class.get(one)]
    return ordered + [one for of_class in by_class.values() for one in of_class]


def _few_names(group: Any) -> list[str]:
    """What lies in a group; no such group holds nothing."""
    import h5py

    if not isinstance(group, h5py.Group):
        return []
    if len(group) > MOST_NAMES:
        raise _too_many(group)
    return list(group)


def _arrays(group: h5py.Group, most: int, place: str = "") -> Iterator[str]:
    """The paths of a layer's arrays, and of those of the layers inside it; more than ``most`` are an error."""
    import h5py

    vars_ = inside(group, f"{place}vars")
    numbers = len(vars_) if isinstance(vars_, h5py.Group) else 0
    if numbers > most or place.count("/") > 2 * MOST_DEPTH:
        raise _too_many(group)
    yield from (f"{place}vars/{number}" for number in range(numbers))
    left = most - numbers
    for name in _few_names(inside(group, f"{place}layers")):
        for path in _arrays(group, left, f"{place}layers/{name}/"):
            left -= 1
            yield path
        left -= 1


def _class_and_number(name: str) -> tuple[str, int]:
    match = re.fullmatch(r"(.+)_(\d{1,9})", name)
    return (match[1], int(match[2])) if match else (name, 0)


def _has_names(group: h5py.Group, key: str) -> bool:
    return key in group.attrs or f"{key}0" in group.attrs


def _names(group: h5py.Group, key: str) -> list[str]:
    """A list of names; one too long for an HDF5 attribute is cut into pieces, ``layer_names0`` and so on."""
    if key in group.attrs:
        return _attribute(group, key)
    pieces = itertools.takewhile(lambda piece: piece in group.attrs, (f"{key}{i}" for i in itertools.count()))
    names: list[str] = []
    for piece in pieces:
        names += _attribute(group, piece)
        if len(names) > MOST_NAMES:
            raise _too_many(group)
    return names


def _too_many(group: h5py.Group) -> ImgclfError:
    return ImgclfError(f"{group.file.filename}: not a weights file of Keras: it names more than {MOST_NAMES:,} arrays")


def _attribute(group: h5py.Group, key: str) -> list[str]:
    header = group.attrs.get_id(key)
    a_text = header.dtype.itemsize if header.dtype.kind == "S" else longest_text_bytes(group.file)
    count = math.prod(header.shape)
    if count and (header.dtype.kind not in "SO" or count > MOST_NAMES):
        found = f"{count:,} of {header.dtype}"
        raise ImgclfError(f"{group.file.filename}: {key} of {group.name} is no list of names: {found}")
    _check_names(group, key, count, a_text)
    names = np.ravel(group.attrs[key]).tolist()
    return [one.decode("utf-8") if isinstance(one, bytes) else str(one) for one in names]


def _check_names(group: h5py.Group, key: str, count: int, a_text: int) -> None:
    if count * a_text > MOST_NAMES_BYTES:
        raise ImgclfError(
            f"{group.file.filename}: {key} of {group.name}: {count:,} names of up to {size_text(a_text)} each, as far "
            f"as the file tells; at most {size_text(MOST_NAMES_BYTES)} are read",
            hint="of a whole model of many layers, save the weights alone: model.save_weights(FILE)",
        )


def _pairs(
    layers: Sequence[keras.layers.Layer], saved: list[_Saved], path: Path
) -> list[tuple[keras.layers.Layer, _Saved]]:
    """Each layer with weights and what the file has for it."""
    wanted = [layer for layer in layers if layer.weights]
    by_name = {one.name: one for one in saved}
    has_names = len(by_name) == len(saved) and all(layer.name in by_name for layer in wanted)
    pairs = [(layer, by_name[layer.name]) for layer in wanted] if has_names else list(zip(wanted, saved, strict=False))
    if len(saved) >= len(wanted) and _is_top(saved, [one for _, one in pairs], has_names):
        return pairs
    held, own = {one.name for one in saved}, {layer.name for layer in wanted}
    missing = [f"{layer.name} is missing" for layer in wanted if layer.name not in held]
    strange = [f"{one.name} is not in the network" for one in saved if one.name not in own]
    raise ImgclfError(
        f"{path}: not the weights of this network: it has {len(wanted)} layers with weights, the file {len(saved)}; "
        f"{few(missing + strange, SHOWN, '; ')}"
    )


def _is_top(saved: list[_Saved], used: list[_Saved], has_names: bool) -> bool:
    """Whether what the body does not use may be the published top: few layers, above the others as far as is known."""
    taken = {id(one) for one in used}
    left = [place for place, one in enumerate(saved) if id(one) not in taken]
    if len(left) > MOST_TOP_LAYERS:
        return False
    if any(one.kind is None for one in saved):
        return left == list(range(len(saved) - len(left), len(saved)))
    return has_names or not {saved[place].kind for place in left} & {one.kind for one in used}


def _variables(layer: keras.layers.Layer, saved: _Saved) -> list[tuple[Any, str]]:
    """The layer's variables, each with the path of its array in the file."""
    import keras

    if saved.kind is None:
        # The order of Keras 2: what training changes stands before the statistics, also of the layers inside a layer.
        return list(zip([*layer.trainable_weights, *layer.non_trainable_weights], saved.paths, strict=False))
    groups = [("", own_variables(layer))]
    if isinstance(layer, keras.Model):
        groups = [(f"{group}/", variables) for group, _, variables in keras_groups(layer)]
    return [(one, f"{group}vars/{number}") for group, variables in groups for number, one in enumerate(variables)]


def _problems(layer: keras.layers.Layer, saved: _Saved) -> list[str]:
    variables = _variables(layer, saved)
    where = layer.name if layer.name == saved.name else f"{layer.name} (in the file {saved.name})"
    if len(layer.weights) != len(saved.paths):
        return [f"{where} must have {len(layer.weights)} arrays; found {len(saved.paths)}"]
    problems: list[str] = []
    for variable, path in variables:
        array, name = inside(saved.group, path), f"{where}/{variable.name}"
        if found := list(place_problems(array, name)):
            problems += found
        elif array.shape != tuple(variable.shape) or not _is_convertible(array.dtype, variable.dtype):
            want = f"{variable.dtype} {tuple(variable.shape)}"
            problems.append(f"{name} must be {want}; found {array.dtype} {array.shape}")
    return problems


def _is_convertible(found: np.dtype[Any], wanted: str) -> bool:
    """Whether numbers of a file's type are meant by the model's: any floating type by one, counts also by integers."""
    return found.kind == "f" or (found.kind in "iu" and np.dtype(wanted).kind in "iu")


def _fill(layer: keras.layers.Layer, saved: _Saved) -> int:
    for variable, path in _variables(layer, saved):
        variable.assign(inside(saved.group, path)[()].astype(variable.dtype))
    settle_normalization(layer)
    return len(saved.paths)
