"""The splits of arrays in files: every array checked against the others before training."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from imgclf.datasets.arrays import PARTS, ArrayPlace, ArraySettings
from imgclf.datasets.base import DataPlaces, Split, Splits, Target
from imgclf.datasets.given import find_given
from imgclf.datasets.pixels.pieces import pieces
from imgclf.datasets.split import build_splits, select, stratified_split
from imgclf.datasets.stored.hdf5_rows import Hdf5Rows
from imgclf.datasets.stored.rows import ArrayFile, RowPixels, Rows, read_images, read_label_columns, read_labels
from imgclf.errors import ImgclfError
from imgclf.texts import few

_OBTAIN = "`imgclf data export CONFIG FILE` writes the arrays of another data set into such a file."


def load_arrays(
    settings: ArraySettings, places: DataPlaces, seed: int, open_file: Callable[[Path], ArrayFile]
) -> Splits:
    """The splits that the arrays hold; those that are not there are set aside from the training images.

    Every file is opened once, by ``open_file``. Raises ImgclfError where files or arrays are missing or do not fit
    together.
    """
    with ExitStack() as opened:
        return _load(settings, _Found(settings, places.data_dir, open_file, opened), seed)


def _load(settings: ArraySettings, found: _Found, seed: int) -> Splits:
    names = _class_names(settings, found)
    read = read_labels if settings.label_columns is None else read_label_columns
    images = {part: _images(settings, part, found) for part in PARTS if _has(settings, part)}
    _check_alike(images)
    splits: dict[str, Split] = {}
    for part, pixels in images.items():
        place = getattr(settings, f"{part}_labels")
        rows = found.rows(place, f"{part}_labels")
        labels = read(rows, len(pixels), [len(one) if one else None for one in names])
        one_hot = rows.shape[1] if settings.label_columns is None and len(rows.shape) == 2 else 1
        names = [
            one or _numbers(rows, max(one_hot, int(column.max()) + 1))
            for one, column in zip(names, labels.T, strict=True)
        ]
        splits[part] = Split(pixels, labels)
    for part in ("validation", "test"):
        _check_values(images.get(part))
    train, test = splits["train"], splits.get("test")
    if test is None:
        labels = train.labels[:, 0]
        for_training, for_test = stratified_split(labels, settings.test_size, settings.test_seed, "test_size")
        train, test = select(train, for_training), select(train, for_test)
    held_out = test
    columns = settings.columns()
    targets = tuple(Target(column.name, one or ()) for column, one in zip(columns, names, strict=True))
    return build_splits(
        settings,
        seed,
        whole=train,
        validation=splits.get("validation"),
        load_test=lambda: held_out,
        test_images=len(held_out),
        targets=targets,
        notes=(*found.notes(), *_notes(settings, targets, images)),
    )


class _Found:
    """The files that were found for the paths of the settings, open until ``opened`` closes them."""

    def __init__(
        self, settings: ArraySettings, data_dir: Path, open_file: Callable[[Path], ArrayFile], opened: ExitStack
    ) -> None:
        self._settings, self._data_dir = settings, data_dir
        self._open_file, self._opened = open_file, opened
        self._files: dict[str, tuple[Path, ArrayFile]] = {}

    def rows(self, place: ArrayPlace, key: str) -> Rows:
        """The array at a place; ``key`` is the setting that names it."""
        (_, file), name = self._locate(place, key)
        return file.rows(name)

    def names(self, place: ArrayPlace, key: str) -> tuple[str, ...]:
        """The names of two classes or more, each once. Raises ImgclfError where the array holds anything else."""
        (path, file), name = self._locate(place, key)
        names = file.names(name)
        if len(set(names)) < max(2, len(names)):
            raise ImgclfError(f"{path}: {name}: must hold two names or more, each once; got {few(names, 12)}")
        return names

    def notes(self) -> list[str]:
        return [f"{self._settings.name} from {path.absolute()}" for path, _ in self._files.values()]

    def _locate(self, place: ArrayPlace, key: str) -> tuple[tuple[Path, ArrayFile], str]:
        if isinstance(place, str):
            assert self._settings.path is not None
            return self._find(self._settings.path, "path"), place
        return self._find(place.path, f"{key}.path"), place.array

    def _find(self, path: str, key: str) -> tuple[Path, ArrayFile]:
        if path not in self._files:
            found = find_given(path, self._data_dir, "file", key, _OBTAIN)
            self._files[path] = found, self._opened.enter_context(self._open_file(found))
        return self._files[path]


def _has(settings: ArraySettings, part: str) -> bool:
    return getattr(settings, f"{part}_images") is not None


def _images(settings: ArraySettings, part: str, found: _Found) -> RowPixels:
    key = f"{part}_images"
    return read_images(found.rows(getattr(settings, key), key), settings.image_shape)


def _class_names(settings: ArraySettings, found: _Found) -> list[tuple[str, ...] | None]:
    """The names of each target's classes; None where they are not given."""
    key = "class_names" if settings.label_columns is None else "label_columns.class_names"
    places = [column.class_names for column in settings.columns()]
    return [place if place is None or isinstance(place, tuple) else found.names(place, key) for place in places]


def _numbers(rows: Rows, classes: int) -> tuple[str, ...]:
    """Names for classes that have none."""
    if classes < 2:
        raise ImgclfError(f"{rows.where}: must hold the labels of two classes or more; all are 0")
    return tuple(map(str, range(classes)))


def _check_alike(images: dict[str, RowPixels]) -> None:
    train = images["train"]
    for pixels in images.values():
        if pixels.image_shape != train.image_shape or pixels.dtype != train.dtype:
            raise ImgclfError(
                f"{pixels.rows.where}: must hold images like those of {train.rows.where}, {train.dtype} "
                f"{train.image_shape}; got {pixels.dtype} {pixels.image_shape}"
            )


def _check_values(pixels: RowPixels | None) -> None:
    """Look at all fractions now, since nobody else takes these images before training has begun."""
    if pixels is not None and pixels.dtype != np.uint8:
        for _ in pieces(pixels):
            pass


def _notes(settings: ArraySettings, targets: tuple[Target, ...], images: dict[str, RowPixels]) -> list[str]:
    notes = []
    for column, target in zip(settings.columns(), targets, strict=True):
        if column.class_names is None:
            of = f" of {target.name}" if len(targets) > 1 else ""
            greatest = len(target.class_names) - 1
            notes.append(f"class_names{of} are not given: the classes are 0 to {greatest}, by the training labels")
    if any(isinstance(pixels.rows, Hdf5Rows) for pixels in images.values()):
        notes.append(
            "images lie in chunks, which are decompressed again for each image that is taken in random order: "
            "`imgclf data export` writes a file that is faster to read"
        )
    return notes
