"""Published weights on this machine: where they are looked for, and their way into a model."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgclf.errors import ImgclfError
from imgclf.models.base import ModelSettings
from imgclf.models.heads import is_of_head
from imgclf.models.initializers import zeros_for_random
from imgclf.models.published import PublishedWeights
from imgclf.places import data_folder
from imgclf.runs.files import sha256_of
from imgclf.runs.hdf5 import settle_normalization
from imgclf.runs.published import load_published
from imgclf.texts import from_home

if TYPE_CHECKING:
    import keras

FOLDER = "weights"  # below the data folder


@dataclass(frozen=True)
class Pretrained:
    """Published weights that a model began with: the network's name, the file, its SHA-256, and how many arrays."""

    network: str
    path: Path
    sha256: str
    arrays: int

    def text(self) -> str:
        """For the user, in one line."""
        return f"{self.path}: {self.arrays} arrays into {self.network}"

    def to_json(self) -> dict[str, str | int]:
        """The entry of run.json."""
        return {"network": self.network, "path": str(self.path), "sha256": self.sha256, "arrays": self.arrays}


def pretrained_file(settings: ModelSettings, data_dir: str | Path | None) -> Path | None:
    """The file of the published weights that the settings ask for; None where they ask for none.

    Raises ImgclfError where it is nowhere and can't be downloaded.
    """
    wanted = settings.published_weights()
    return find_published(wanted, data_folder(data_dir)) if wanted else None


def load_pretrained(model: keras.Model, settings: ModelSettings, path: Path) -> Pretrained:
    """Fill the body of ``model`` with the published weights in ``path``. Raises ImgclfError where they don't fit."""
    wanted, uncut = settings.published_weights(), settings.uncut()
    assert wanted is not None
    body = [layer for layer in model.layers if not is_of_head(layer)]
    if uncut is settings:
        arrays = load_published(body, path)
    else:  # the file's layers may be known by their places alone, which are those of the whole network
        with zeros_for_random():
            whole = uncut.build_body(model.input_shape[1:])
        load_published(whole.layers, path)
        arrays = _take(body, whole)
    settings.finish_loading(model)
    return Pretrained(wanted.network, path, sha256_of(path), arrays)


def _take(layers: Sequence[keras.layers.Layer], whole: keras.Model) -> int:
    """Fill layers with the weights of those of the same names; returns how many arrays it were."""
    for layer in layers:
        if layer.weights:
            layer.set_weights(whole.get_layer(layer.name).get_weights())
            settle_normalization(layer)
    return sum(len(layer.weights) for layer in layers)


def find_published(wanted: PublishedWeights, data: Path) -> Path:
    """The file on this machine: a path as it is or in the data folder; ImageNet's also in Keras' cache, or downloaded.

    Raises ImgclfError that names the places where it was looked for.
    """
    if wanted.wanted != "imagenet":
        return _given(from_home(wanted.wanted), data)
    cache = keras_cache()
    for folder in (data / FOLDER, cache):
        for name in wanted.files:
            if (folder / name).is_file():
                return folder / name
    return _downloaded(wanted, data / FOLDER, cache)


def keras_cache() -> Path:
    """The folder into which Keras downloads weights: below KERAS_HOME, else ``~/.keras``."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else from_home("~/.keras")) / "models"


def _given(path: Path, data: Path) -> Path:
    for place in (path, data / path):
        if place.is_file():
            return place
    raise ImgclfError(
        f"model.weights: no such file: {path}; looked for it in the working directory and in {data}",
        hint="give imagenet, null (random numbers), or the path of a weights file that Keras saved",
    )


def _downloaded(wanted: PublishedWeights, folder: Path, cache: Path) -> Path:
    """The file that Keras has put into its cache."""
    names = ", ".join(wanted.files)
    missing = f"{wanted.network}: its ImageNet weights are neither in {folder} nor in {cache} ({names})"
    hint = f"put {wanted.files[0]} into {folder}, or set model.weights to null for random numbers"
    if wanted.download is None:
        raise ImgclfError(f"{missing}; nobody offers them for download", hint=hint)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # where Keras shows its progress
            wanted.download()
    except Exception as error:  # what Keras raises here is a bare Exception
        reason = " ".join(str(error).split())
        raise ImgclfError(f"{missing}; the download failed: {reason}", hint=hint) from error
    for name in wanted.files:
        if (cache / name).is_file():
            return cache / name
    raise ImgclfError(f"{missing}; Keras downloaded them elsewhere", hint=hint)
