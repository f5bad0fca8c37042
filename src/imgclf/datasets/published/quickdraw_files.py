"""The files of Quick Draw: found, checked, mapped, and divided into splits."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import ArrayPixels, DataPlaces, Split, Splits, Target
from imgclf.datasets.given import find_given
from imgclf.datasets.pixels.joined import JoinedPixels
from imgclf.datasets.quickdraw import QuickDraw
from imgclf.datasets.split import build_splits, select, stratified_split
from imgclf.datasets.stored.npy import GET_AGAIN, map_npy
from imgclf.errors import ImgclfError
from imgclf.texts import few

HEIGHT, WIDTH = 28, 28
PREFIX = "full_numpy_bitmap_"  # Google's; its web address names the files without it
OBTAIN = (
    "`imgclf data download quickdraw --classes cat,dog` fetches files of about 100 MB a class into the data folder; "
    "they lie in https://storage.googleapis.com/quickdraw_dataset/full/numpy_bitmap/"
)
_MANY = 12  # names that an error lists before it counts the rest


def load_quickdraw(settings: QuickDraw, places: DataPlaces, seed: int) -> Splits:
    """The drawings of the folder's classes; a fixed part of them is the test split.

    Raises ImgclfError where folder or classes are missing, or a file is not what it should be.
    """
    folder = find_given(settings.path, places.data_dir, "folder", "path", OBTAIN)
    files = _choose(folder, find_files(folder), settings.classes)
    drawings = {name: map_drawings(path)[: settings.images_per_class] for name, path in files.items()}
    whole = _join(list(drawings.values()))
    for_training, for_test = stratified_split(whole.labels[:, 0], settings.test_size, settings.test_seed, "test_size")
    test = select(whole, for_test)
    return build_splits(
        settings,
        seed,
        whole=select(whole, for_training),
        load_test=lambda: test,
        test_images=len(test),
        targets=(Target("label", tuple(files)),),
        notes=(_found(folder, files), *_fewer(drawings, settings.images_per_class)),
    )


def find_files(folder: Path) -> dict[str, Path]:
    """The folder's .npy files by class, in alphabetical order. Raises ImgclfError where two are of one class."""
    files: dict[str, Path] = {}
    try:
        paths = [path for path in folder.iterdir() if path.suffix == ".npy" and not path.name.startswith(".")]
    except OSError as error:
        raise ImgclfError(f"{folder}: cannot be listed: {error.strerror}") from error
    for path in sorted(paths):
        name = path.stem.removeprefix(PREFIX)
        if name in files:
            raise ImgclfError(
                f"{folder}: must hold one file a class; got {files[name].name} and {path.name}",
                hint="Move one of them away.",
            )
        files[name] = path
    if not files:
        raise ImgclfError(f"{folder}: holds no .npy file", hint=OBTAIN)
    return dict(sorted(files.items()))


def map_drawings(path: Path) -> NDArray[np.uint8]:
    """The drawings of one file, mapped, uint8 (drawings, 28, 28, 1). Raises ImgclfError for anything else."""
    array = map_npy(path)
    if array.dtype != np.uint8 or array.shape[1:] not in ((HEIGHT * WIDTH,), (HEIGHT, WIDTH)):
        raise ImgclfError(
            f"{path}: must hold uint8 (drawings, {HEIGHT * WIDTH}) or (drawings, {HEIGHT}, {WIDTH}); "
            f"got {array.dtype} {array.shape}",
            hint=GET_AGAIN,
        )
    if not len(array):
        raise ImgclfError(f"{path}: holds no drawing", hint=GET_AGAIN)
    return array.reshape(-1, HEIGHT, WIDTH, 1)


def unknown_class(name: str, known: Sequence[str], where: str, hint: str | None = None) -> ImgclfError:
    """The error for a class that is not there, with the nearest spellings."""
    near = difflib.get_close_matches(name.lower().replace("_", " "), known, 3, 0.6)
    message = f"{where}: there is no class {name!r}"
    if near:
        return ImgclfError(f"{message}; did you mean {' or '.join(map(repr, near))}?", hint=hint)
    return ImgclfError(message, hint=hint)


def _choose(folder: Path, files: Mapping[str, Path], classes: Sequence[str] | None) -> Mapping[str, Path]:
    if classes is None and len(files) < 2:
        raise ImgclfError(f"{folder}: must hold two classes or more; got {next(iter(files.values())).name}")
    for name in classes or ():
        if name not in files:
            raise unknown_class(name, list(files), "dataset.classes", f"{folder} holds {few(list(files), _MANY)}")
    return {name: files[name] for name in classes} if classes else files


def _join(drawings: Sequence[NDArray[np.uint8]]) -> Split:
    labels = np.repeat(np.arange(len(drawings), dtype=np.int32), [len(one) for one in drawings])
    return Split(JoinedPixels([ArrayPixels(one) for one in drawings]), labels[:, np.newaxis])


def _found(folder: Path, files: Mapping[str, Path]) -> str:
    return f"Quick Draw from {folder.absolute()}: {few([path.name for path in files.values()], 4)}"


def _fewer(drawings: Mapping[str, NDArray[np.uint8]], wanted: int | None) -> list[str]:
    """A line on the classes that have fewer drawings than were asked for."""
    short = [f"{name} {len(one):,}" for name, one in drawings.items() if wanted and len(one) < wanted]
    if not short:
        return []
    return [f"Quick Draw: fewer drawings than images_per_class, {wanted:,}, are there of {few(short, 4)}: all are used"]
