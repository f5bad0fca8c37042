"""Looking into an HDF5 file that anyone may have written: nothing is read but what lies in the file itself."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py

SHOWN = 5  # problems in a message
_HEAP = b"GCOL\x01\0\0\0"  # HDF5 File Format Specification, section III.E, "Global Heap", version 1


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
    elif array.chunks is not None:  # a chunk may unpack to any size; neither Keras nor this program writes any
        yield f"{name} must lie in one piece; found it in chunks"


def longest_text_bytes(file: h5py.File) -> int:
    """The most bytes that a text of any length in the file can have: HDF5 keeps them in heaps, which say their size.

    Such a text is stored by its place, so that a small file may name a long one again and again.
    """
    with open(file.filename, "rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as content:  # noqa: PTH123
        _, size_bytes = file.id.get_create_plist().get_sizes()
        longest, place = 0, content.find(_HEAP)
        while place >= 0:
            start = place + len(_HEAP)
            longest = max(longest, int.from_bytes(content[start : start + size_bytes], "little"))
            place = content.find(_HEAP, start)
    return longest


def layer_name(group: h5py.Group) -> str | None:
    """The name of the layer whose arrays Keras 3 put into a group ``vars``; None where it has none."""
    if "name" not in group.attrs or group.attrs.get_id("name").shape != ():  # many texts may be one, again and again
        return None
    name = group.attrs["name"]
    return name if isinstance(name, str) else None


def snake_case(name: str) -> str:
    """The name under which Keras files a class: Conv2D is conv2d, BatchNormalization is batch_normalization."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def settle_normalization(model: Any) -> None:
    """Let layers that keep a copy of their weights take it anew: Keras' Normalization does not see assignments."""
    import keras

    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
