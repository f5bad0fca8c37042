"""Looking into an HDF5 file that anyone may have written: nothing is read but what lies in the file itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py

SHOWN = 5  # problems in a message


def inside(group: h5py.Group, path: str) -> Any:
    """What lies at ``path`` in the file itself; None where there is nothing or a link."""
    import h5py

    held: Any = group
    for part in path.split("/"):
        if not part or not isinstance(held, h5py.Group):
            return None
        if held.get(part, getclass=True, getlink=True) is not h5py.HardLink:
            return None
        held = held[part]
    return held


def place_problems(array: Any, name: str) -> Iterator[str]:
    """Why ``array`` (what :func:`inside` found) is no array of the file itself."""
    import h5py

    if not isinstance(array, h5py.Dataset):
        yield f"{name} is missing"
    elif array.external or array.is_virtual:
        yield f"{name} must lie in the file itself; found a reference to another file"


def settle_normalization(model: Any) -> None:
    """Let layers that keep a copy of their weights take it anew: Keras' Normalization does not see assignments."""
    import keras

    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
