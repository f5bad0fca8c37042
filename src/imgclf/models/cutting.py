"""Cutting a network at a named layer, for features that lie below its last ones."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from imgclf.errors import ImgclfError
from imgclf.texts import few

if TYPE_CHECKING:
    import keras

Pooling = Literal["avg", "max", "flatten"]


def cut_at(network: keras.Model, name: str, pooling: Pooling, whose: str) -> keras.KerasTensor:
    """Features (batch, numbers): the output of the layer ``name``, pooled where it is maps.

    Raises ImgclfError where ``network`` has no such layer; ``whose`` is what it is called there.
    """
    if message := unknown_cut(network, name, whose):
        raise ImgclfError(f"model.cut: {message}")
    return pooled(network.get_layer(name).output, pooling)


def unknown_cut(network: keras.Model, name: str | None, whose: str) -> str | None:
    """What is wrong with the name of a layer to cut at; None where ``network`` has it, or where none is named."""
    names = [layer.name for layer in network.layers]
    if name is None or name in names:
        return None
    near = get_close_matches(name, names, n=1)
    meant = f'did you mean "{near[0]}"? ' if near else ""
    return f'expected a layer of {whose}, found "{name}"; {meant}its layers: {few(names, most=20)}'


def pooled(maps: keras.KerasTensor, pooling: Pooling) -> keras.KerasTensor:
    """Features (batch, numbers) of maps (batch, height, width, channels); features stay as they are."""
    from keras import layers

    if len(maps.shape) == 2:
        return maps
    pools = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D, "flatten": layers.Flatten}
    return pools[pooling](name="features")(maps)
