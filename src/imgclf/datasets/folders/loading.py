"""From the settings of an image folder to its splits: found, laid out, decoded, and checked for unreadable files."""

from __future__ import annotations

import functools
import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import DataPlaces, Pixels, Quarantined, SelectedPixels, Split, Splits, Target
from imgclf.datasets.cache.entries import NotCached
from imgclf.datasets.cache.images import cached_images
from imgclf.datasets.folders.decoding import FilePixels, StreamedPixels, Verdicts, complete_fit, decode_files, listed
from imgclf.datasets.folders.file_tree import ImageFile, composed, name_key
from imgclf.datasets.folders.label_table import Columns, csv_layout
from imgclf.datasets.folders.layout import LabelledFile, Layout, find_layout, one_split
from imgclf.datasets.folders.places import OTHER_PLACE, find_place, read_tree
from imgclf.datasets.given import find_given, what_is_there
from imgclf.datasets.split import build_splits, limited_positions, stratified_split
from imgclf.errors import ImgclfError
from imgclf.texts import few

if TYPE_CHECKING:
    from imgclf.datasets.image_folder import ImageFolder

NAMED_FILES = 5


def load_image_folder(settings: ImageFolder, places: DataPlaces, seed: int) -> Splits:
    """The splits of an image folder.

    Raises ImgclfError where it is not found, has no known layout, or more files are unreadable than may be.
    """
    root = find_place(settings.path, places, "path")
    layout, notes = _read_layout(settings, places, root)
    targets = _targets(settings, layout, root)
    notes += _unused_classes(settings, layout)
    parts = _parts(settings, layout, targets)
    _check_apart(parts, settings, root)
    decoded = _decode(parts, root, places)
    quarantine = (*layout.quarantine, *decoded.quarantine())
    unreadable = [one for one in quarantine if one.kind == "file"]
    files = parts.named + len(unreadable) - len(decoded.verdicts.unreadable)
    _check_unreadable(unreadable, files, settings, root)
    train, test = decoded.split(parts.train), decoded.split(parts.test)
    validation = decoded.split(parts.validation) if parts.validation else None
    _check_not_empty({"train": train, "validation": validation, "test": test}, unreadable, root)
    return build_splits(
        settings.model_copy(update={"limit_per_class": None}),  # kept already, before anything was decoded
        seed,
        whole=train,
        validation=validation,
        load_test=lambda: test,
        test_images=len(test),
        targets=targets,
        notes=(f"image_folder from {root}: {layout.title}", *notes, *layout.notes, decoded.note),
        digest=decoded.fingerprint([parts.train, *([parts.validation] if parts.validation else [])]),
        test_digest=decoded.fingerprint([parts.test]),
        quarantine=quarantine,
        files=files,
    )


def _read_layout(settings: ImageFolder, places: DataPlaces, root: Path) -> tuple[Layout, list[str]]:
    tree = read_tree(root)
    if settings.csv is None:
        layout = find_layout(tree, settings.classes)
    else:
        table = _find_csv(settings.csv, places, root)
        tree = tree.besides(table)
        columns = Columns(settings.file_column, settings.label_columns, settings.split_column)
        layout = csv_layout(table, columns, tree)
    notes = [tree.describe_passed_over()]
    for split, path in (("validation", settings.validation_path), ("test", settings.test_path)):
        if path is None:
            continue
        if getattr(layout, split) is not None:
            raise ImgclfError(f"dataset.{split}_path: {root} brings a {split} split of its own")
        place = find_place(path, places, f"{split}_path")
        other = read_tree(place)
        files = one_split(other)
        layout = replace(layout, validation=files.train) if split == "validation" else replace(layout, test=files.train)
        notes += [f"{split} from {place}: {files.title}", other.describe_passed_over(), *files.notes]
    return layout, [note for note in notes if note]


def _find_csv(name: str, places: DataPlaces, root: Path) -> Path:
    """The table of labels: among the images, else where other files of the settings are looked for."""
    inside = root / name
    if what_is_there(inside) == "file":
        return inside
    return find_given(name, places.data_dir, "file", "csv", OTHER_PLACE).absolute()


def _targets(settings: ImageFolder, layout: Layout, root: Path) -> tuple[Target, ...]:
    """The targets with their classes in order; those of the training files, or as the settings list them."""
    train, chosen = layout.train, None
    if settings.classes is not None:
        chosen = _listed_classes(settings.classes, {one.classes[0] for one in train}, root)
        train = tuple(one for one in train if one.classes[0] in chosen)
    found = [sorted({one.classes[column] for one in train}, key=name_key) for column in range(len(layout.target_names))]
    if chosen is not None:
        found[0] = chosen
    for name, classes in zip(layout.target_names, found, strict=True):
        if len(classes) < 2:
            raise ImgclfError(f"{root}: {name}: must have at least two classes; found {', '.join(classes) or 'none'}")
    return tuple(Target(name, tuple(classes)) for name, classes in zip(layout.target_names, found, strict=True))


def _listed_classes(listed: Sequence[str], found: set[str], root: Path) -> list[str]:
    classes = [composed(name) for name in listed]
    missing = [name for name in classes if name not in found]
    if missing:
        raise ImgclfError(
            f"dataset.classes: {', '.join(missing)}: no training images of such a class in {root}",
            hint=f"There are: {few(sorted(found, key=name_key))}.",
        )
    return classes


def _unused_classes(settings: ImageFolder, layout: Layout) -> list[str]:
    """Notes on the classes that have no image, and those that the settings leave out."""
    empty = [name for name in layout.empty_classes if name not in {one.classes[0] for one in layout.train}]
    notes = [f"without any image, so no class: {few(empty)}"] if empty else []
    if settings.classes is not None:
        listed = {composed(name) for name in settings.classes}
        others = Counter(one.classes[0] for one in layout.files() if one.classes[0] not in listed)
        unused = few([f"{name} ({count:,} images)" for name, count in others.items()])
        notes += [f"not used, since dataset.classes does not list it: {unused}"] if others else []
    return notes


@dataclass(frozen=True)
class _Part:
    """Files of one split with their labels, int32 (files, targets)."""

    files: tuple[ImageFile, ...]
    labels: NDArray[np.int32]

    def at(self, positions: NDArray[np.int64]) -> _Part:
        return _Part(tuple(self.files[position] for position in positions.tolist()), self.labels[positions])


@dataclass(frozen=True)
class _Parts:
    train: _Part
    validation: _Part | None
    test: _Part
    named: int  # files of all splits, before a limit

    def all(self) -> list[_Part]:
        return [part for part in (self.train, self.validation, self.test) if part]


def _parts(settings: ImageFolder, layout: Layout, targets: tuple[Target, ...]) -> _Parts:
    """The files of each split: of the classes asked for, the test set aside where there is none, and limited."""
    train, validation, test = (
        _part(files, targets, split, chosen=settings.classes is not None) if files is not None else None
        for split, files in (("training", layout.train), ("validation", layout.validation), ("test", layout.test))
    )
    assert train is not None
    if test is None:
        kept, for_test = stratified_split(train.labels[:, 0], settings.test_size, settings.test_seed, "test_size")
        train, test = train.at(kept), train.at(for_test)
    named = sum(len(part.files) for part in (train, validation, test) if part)
    limit = settings.limit_per_class
    if limit is not None:  # before anything is decoded
        train, test = (part.at(limited_positions(part.labels[:, 0], limit)) for part in (train, test))
        validation = validation and validation.at(limited_positions(validation.labels[:, 0], limit))
    return _Parts(train, validation, test, named)


def _part(files: Sequence[LabelledFile], targets: tuple[Target, ...], split: str, *, chosen: bool) -> _Part:
    places = [{name: label for label, name in enumerate(target.class_names)} for target in targets]
    if chosen:
        files = [one for one in files if one.classes[0] in places[0]]
    for one in files:
        for target, place, name in zip(targets, places, one.classes, strict=True):
            if name not in place:
                raise ImgclfError(
                    f"{one.file.path}: a {split} image of {target.name} {name!r}, which no training image has",
                    hint=f"Classes are: {few(target.class_names)}.",
                )
    labels = [[place[name] for place, name in zip(places, one.classes, strict=True)] for one in files]
    return _Part(tuple(one.file for one in files), np.array(labels, np.int32).reshape(len(files), len(targets)))


@dataclass(frozen=True)
class _Decoded:
    """The files of all splits, their pixels and what came of decoding them."""

    files: tuple[ImageFile, ...]
    pixels: Pixels
    verdicts: Verdicts
    note: str

    def quarantine(self) -> tuple[Quarantined, ...]:
        return tuple(Quarantined(self.files[place].path, reason) for place, reason in self.verdicts.unreadable.items())

    def split(self, part: _Part) -> Split:
        """The readable images of a split."""
        positions, labels = self._readable(part)
        return Split(SelectedPixels(self.pixels, positions), labels)

    def fingerprint(self, parts: Sequence[_Part]) -> str:
        """The SHA-256 (hexadecimal) of the digests of the files, and of labels."""
        digest = hashlib.sha256()
        for part in parts:
            positions, labels = self._readable(part)
            digest.update(f"{labels.shape}\n".encode())
            digest.update(self.verdicts.digests[positions].tobytes())
            digest.update(np.ascontiguousarray(labels, "<i4").data)
        return digest.hexdigest()

    def _readable(self, part: _Part) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        place = {file.path: position for position, file in enumerate(self.files)}
        positions = np.array([place[file.path] for file in part.files], np.int64)
        readable = ~np.isin(positions, list(self.verdicts.unreadable))
        return positions[readable], part.labels[readable]


def _decode(parts: _Parts, root: Path, places: DataPlaces) -> _Decoded:
    """All files decoded once: into the cache, or, where that is not possible, as they are taken."""
    by_path = {str(file.path): file for part in parts.all() for file in part.files}
    files = tuple(by_path[path] for path in sorted(by_path))
    fit = complete_fit(files, places.fit, root)
    try:
        if places.cache_dir is None:
            raise NotCached("no cache folder is given")
        cached = cached_images(places.cache_dir, root, files, fit, places.report_progress)
    except NotCached as reason:
        verdicts = decode_files(files, fit, lambda _position, _pixels: None, places.report_progress)
        note = f"decoded anew whenever they are needed, which is slower: {reason}"
        return _Decoded(files, StreamedPixels(files, fit), verdicts, note)
    return _Decoded(files, FilePixels(cached.pixels, files), cached.verdicts, cached.note)


def _check_apart(parts: _Parts, settings: ImageFolder, root: Path) -> None:
    """Raise ImgclfError where files that are trained on are to be validated or tested on as well."""
    folder = functools.cache(os.path.realpath)  # one folder may be spelt in several ways

    def place(file: ImageFile) -> tuple[str, str]:
        return folder(file.path.parent), file.path.name

    trained = set(map(place, parts.train.files))
    for split, part in (("validation", parts.validation), ("test", parts.test)):
        common = [file.path for file in part.files if place(file) in trained] if part else []
        if common:
            named = getattr(settings, f"{split}_path") is not None
            raise ImgclfError(
                f"{f'dataset.{split}_path' if named else root}: the {split} images must be others than the training "
                f"images; {len(common):,} are trained on as well, the first: {common[0]}",
                hint="leave those files out of one of the two; of a data set without a split one is set aside",
            )


def _check_unreadable(quarantine: Sequence[Quarantined], files: int, settings: ImageFolder, root: Path) -> None:
    if not settings.refuses(len(quarantine), files):
        return
    first = few([f"{one.file}: {one.reason}" for one in quarantine], NAMED_FILES, "; ")
    raise ImgclfError(
        f"{root}: {len(quarantine):,} of {files:,} files are unreadable, more than dataset.max_unreadable "
        f"({settings.max_unreadable:g} of them): {first}",
        hint="imgclf data check CONFIG lists them all; repair or remove them, or raise dataset.max_unreadable.",
    )


def _check_not_empty(splits: dict[str, Split | None], unreadable: Sequence[Quarantined], root: Path) -> None:
    for name, split in splits.items():
        if split is not None and not len(split):
            files = listed([f"{one.file}: {one.reason}" for one in unreadable])
            told = f"; unreadable are {files}" if unreadable else ""
            raise ImgclfError(f"{root}: the {name} split holds no readable images{told}")
