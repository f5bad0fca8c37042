"""The files of stored features: what there is of them, and how they are removed."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgclf.places import features_folder
from imgclf.settings import ImageShape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEFT_SECONDS = 3600


@dataclass(frozen=True)
class FeatureFile:
    """Features float32 (images, numbers) of one body on one set of images; 0 and 0 where the file is damaged.

    ``dataset``, ``network`` (with the layer at which it is cut) and ``shape`` (height, width, channels of the images as
    the network takes them) are None where nothing beside the file says them.
    """

    file: Path
    images: int
    numbers: int
    size_bytes: int
    made: str
    dataset: str | None = None
    network: str | None = None
    shape: ImageShape | None = None

    def to_json(self) -> dict[str, Any]:
        """The file as one object of the command's JSON."""
        return {
            "path": str(self.file),
            "dataset": self.dataset,
            "network": self.network,
            "image_shape": None if self.shape is None else list(self.shape),
            "features": self.numbers,
            "images": self.images,
            "size_bytes": self.size_bytes,
            "created": self.made,
        }


@dataclass(frozen=True)
class ClearedFeatures:
    """How many files were removed, and their bytes."""

    removed: int
    freed_bytes: int


def described_in(file: Path) -> Path:
    """The small file beside stored features that says what they are of."""
    return file.with_suffix(".json")


def open_features(file: Path) -> NDArray[np.float32]:
    """The features in a file, float32 (images, numbers), mapped. Raises ValueError where it holds anything else."""
    import numpy as np

    try:
        found = np.lib.format.open_memmap(file, mode="r")
    except Exception as error:  # numpy has Python parse the header: a damaged one raises a dozen types
        raise ValueError(f"damaged: {error}") from error
    if found.dtype != np.float32 or found.ndim != 2:
        raise ValueError("damaged: no features")
    return found


def list_features() -> list[FeatureFile]:
    """The stored features of this machine's cache, the oldest first."""
    files = (file for file in features_folder().glob("*.npy") if not file.name.startswith("."))
    return sorted(map(_described, files), key=lambda one: (one.made, one.file.name))


def clear_features() -> ClearedFeatures:
    """Remove them all, and what killed runs left; a run that has a file mapped keeps it until it ends."""
    files = list_features() + [_described(file) for file in features_folder().glob(".*.npy") if _is_left(file)]
    for one in files:
        one.file.unlink(missing_ok=True)
        described_in(one.file).unlink(missing_ok=True)
    return ClearedFeatures(len(files), sum(one.size_bytes for one in files))


def _is_left(file: Path) -> bool:
    """Whether nobody has written to an unfinished file for an hour."""
    return time.time() - file.stat().st_mtime > LEFT_SECONDS


def _described(file: Path) -> FeatureFile:
    status = file.stat()
    made = datetime.fromtimestamp(status.st_mtime).astimezone().isoformat(timespec="seconds")
    try:
        images, numbers = open_features(file).shape
    except ValueError:  # listed as it is, so that it can be cleared; a run that needs it says what is wrong
        images, numbers = 0, 0
    return FeatureFile(file, images, numbers, status.st_size, made, *_told(described_in(file)))


def _told(beside: Path) -> tuple[str | None, str | None, ImageShape | None]:
    """Data set, network and shape as the file beside the features says them; None where it is not as we write it."""
    try:
        told = json.loads(beside.read_text(encoding="utf-8"))
        height, width, channels = map(int, told["shape"])
        return str(told["dataset"]), str(told["network"]), (height, width, channels)
    except (OSError, ValueError, KeyError, TypeError):
        return None, None, None
