"""Which layers a stage trains: all, the head, or those from a named one on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from imgclf.errors import ImgclfError
from imgclf.texts import few

if TYPE_CHECKING:
    import keras


def set_trainable(
    model: keras.Model, head: keras.Model, trainable: str, freeze_batch_normalization: bool
) -> list[keras.Layer]:
    """Set which layers of ``model`` train, and return those that have weights.

    ``trainable`` is ``all``, ``head``, or the beginning of the names of layers: the first such layer and all after it.
    Batch normalisation that is frozen keeps its statistics as well as its scale: Keras then computes with what it has
    learned. Raises ImgclfError where no layer has such a name.
    """
    first = _first(model, head, trainable)
    of_head = {id(layer) for layer in head.layers}
    for place, layer in enumerate(model.layers):
        trains = id(layer) in of_head or (first is not None and place >= first)
        layer.trainable = trains and not (freeze_batch_normalization and _is_normalization(layer))
    return [layer for layer in model.layers if layer.trainable_weights]


def trainable_text(layers: Sequence[keras.Layer], model: keras.Model) -> str:
    """For the user: which layers train, and how many of the model's parameters they are."""
    count = sum(math.prod(weight.shape) for layer in layers for weight in layer.trainable_weights)
    names = [layer.name for layer in layers]
    if len(names) > 12:
        names = [*names[:6], f"... {len(names) - 9} more", *names[-3:]]
    return f"{count:,} of {model.count_params():,} parameters: {', '.join(names)}"


def unknown_layer(model: keras.Model, head: keras.Model, trainable: str) -> str | None:
    """What is wrong with a name that no layer of ``model`` begins with; None where one does."""
    if trainable in ("all", "head") or any(layer.name.startswith(trainable) for layer in model.layers):
        return None
    names = [layer.name for layer in model.layers if layer.weights and layer not in head.layers]
    near = get_close_matches(trainable, [*names, *(name.split("_")[0] for name in names)], n=1)
    meant = f'did you mean "{near[0]}"? ' if near else ""
    return (
        f'expected all, head, or the beginning of a layer\'s name, found "{trainable}"; '
        f"{meant}the body's layers with weights: {few(names, most=20)}"
    )


def _first(model: keras.Model, head: keras.Model, trainable: str) -> int | None:
    """The place of the first layer of the body that trains; None where only the head does."""
    if trainable == "head":
        return None
    if trainable == "all":
        return 0
    if message := unknown_layer(model, head, trainable):
        raise ImgclfError(f"training.trainable: {message}")
    # A whole name before the beginning of another: conv2d_1 is not conv2d_10.
    names = [layer.name for layer in model.layers]
    return names.index(trainable if trainable in names else next(one for one in names if one.startswith(trainable)))


def _is_normalization(layer: keras.Layer) -> bool:
    import keras

    return isinstance(layer, keras.layers.BatchNormalization)
