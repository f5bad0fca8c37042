"""What the folders and names of a tree of images say of their classes and splits."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import NamedTuple

from imgclf.datasets.base import Quarantined
from imgclf.datasets.folders.file_tree import ImageFile, Tree, class_name
from imgclf.errors import ImgclfError
from imgclf.texts import few

SPLIT_NAME = re.compile(
    r"(?:(train|training)|(validation|valid|val)|(test|testing))(?:[ _-]?(?:set|data|images))?", re.I
)
SPLITS = ("train", "validation", "test")
LAYOUTS = (
    "one folder per class; train/, validation/ and test/ above such folders; or flat names with the class before the "
    "first dot (cat.0.jpg)"
)


class LabelledFile(NamedTuple):
    """An image file and the name of its class for each target."""

    file: ImageFile
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """The files of each split; None where the data does not bring one. ``title`` and ``notes`` are for the user.

    ``classes`` are the names of the first target that the folders tell, also where they hold no image.
    """

    title: str
    train: tuple[LabelledFile, ...]
    validation: tuple[LabelledFile, ...] | None = None
    test: tuple[LabelledFile, ...] | None = None
    notes: tuple[str, ...] = ()
    empty_classes: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ("label",)
    quarantine: tuple[Quarantined, ...] = ()

    def files(self) -> tuple[LabelledFile, ...]:
        """The files of all splits."""
        return (*self.train, *(self.validation or ()), *(self.test or ()))


def find_layout(tree: Tree, listed: Collection[str] | None = None) -> Layout:
    """The layout that the tree has: with split folders, or without. ``listed`` are the classes that the user names.

    Raises ImgclfError where it holds no image, has no known layout, or folders that look like splits would be classes
    that nobody named.
    """
    if not tree.images:
        found = tree.describe_passed_over()
        raise ImgclfError(
            f"{tree.root}: holds no image files{f'; {found}' if found else ''}", hint=f"Known: {LAYOUTS}."
        )
    whole = _unwrapped(Below.whole(tree))
    splits = _split_folders(whole)
    if splits:
        return _with_splits(whole, splits)
    if listed is None:
        _check_no_splits(whole)
    return _one_split(whole)


def one_split(tree: Tree) -> Layout:
    """The layout of a tree without split folders: one folder per class, or flat names."""
    return _one_split(_unwrapped(Below.whole(tree)))


def split_of(name: str) -> str | None:
    """train, validation or test, where a name says one of them as people write it: val, Test, training_set."""
    match = SPLIT_NAME.fullmatch(name.strip())
    return SPLITS[(match.lastindex or 0) - 1] if match else None


@dataclass(frozen=True)
class Below:
    """The images of a tree below one of its folders (or all), each with its name from there."""

    tree: Tree
    folder: str
    images: tuple[tuple[PurePosixPath, ImageFile], ...]

    @classmethod
    def whole(cls, tree: Tree) -> Below:
        """All images of the tree."""
        return cls(tree, "", tuple((PurePosixPath(file.name), file) for file in tree.images))

    def inside(self, folder: str) -> Below:
        """The images below one of the folders at the top."""
        images = [
            (name.relative_to(folder), file) for name, file in self.images if name.parts[0] == folder and _deep(name)
        ]
        return Below(self.tree, f"{self.folder}{folder}/", tuple(images))

    @cached_property
    def tops(self) -> tuple[str, ...]:
        """The folders at the top that hold images, in order."""
        return tuple(dict.fromkeys(name.parts[0] for name, _ in self.images if _deep(name)))

    def holds_only(self, folder: str) -> bool:
        """Whether every image lies below the one folder at the top."""
        return all(name.parts[0] == folder and _deep(name) for name, _ in self.images)

    def empty_folders(self) -> tuple[str, ...]:
        """The folders at the top that hold none."""
        names = [name.removeprefix(self.folder) for name in self.tree.folders if name.startswith(self.folder)]
        full = set(self.tops)
        return tuple(class_name(name) for name in names if "/" not in name and name not in full)

    def describe(self) -> str:
        """The folder as the user knows it."""
        return str(self.tree.root / self.folder)


def _unwrapped(whole: Below) -> Below:
    """Of an archive that holds but one folder, which has its name, what lies in that: so programs pack a folder."""
    root = whole.tree.root
    wrapped = root.suffix.lower() == ".zip" and whole.tops == (root.stem,) and whole.holds_only(root.stem)
    return whole.inside(root.stem) if wrapped and not split_of(root.stem) else whole


def flat_class(name: str) -> str | None:
    """The class in a name such as cat.0.jpg: what stands before the first dot; None where there is but one dot."""
    parts = name.split(".")
    return class_name(parts[0]) if len(parts) > 2 and parts[0] else None


def _split_folders(whole: Below) -> dict[str, str]:
    """The split that each folder at the top is, where the folders are splits and not classes."""
    splits = {top: split for top in whole.tops if (split := split_of(top))}
    trains = [top for top, split in splits.items() if split == "train"]
    if not trains:
        return {}
    if len(set(splits.values())) < len(splits):
        raise ImgclfError(f"{whole.describe()}: two of its folders are the same split: {', '.join(splits)}")
    # A folder "train" between "car" and "bus" is a class: it holds neither folders nor names of several classes.
    train = whole.inside(trains[0])
    flat = {flat_class(name.name) for name, _ in train.images}
    return splits if len(splits) == len(whole.tops) or train.tops or len(flat - {None}) > 1 else {}


def _check_no_splits(whole: Below) -> None:
    """Refuse to take for classes what looks like splits."""
    hint = (
        "If they are classes, list all classes in dataset.classes. Else: the training images into a folder train/, or "
        "dataset.path and test_path."
    )
    named = {top: split for top in whole.tops if (split := split_of(top))}
    if set(named.values()) - {"train"}:
        have = "has the name of a split" if len(named) == 1 else "have the names of splits"
        has_train = "train" in named.values()
        without = "the training one holds no class folders" if has_train else "no folder is the training one"
        raise ImgclfError(f"{whole.describe()}: {', '.join(named)} {have}, and {without}", hint=hint)
    below: dict[str, set[str]] = defaultdict(set)
    for name, _ in whole.images:
        if _deep(name):
            below[name.parts[0]].update(name.parts[1:-1][:1])
    first = next(iter(below.values()), set())
    if len(below) > 1 and len(first) > 1 and all(folders == first for folders in below.values()):
        raise ImgclfError(
            f"{whole.describe()}: each of {few(list(below))} holds the folders {few(sorted(first))}: which of the two "
            "are the classes?",
            hint=hint,
        )


def _one_split(whole: Below) -> Layout:
    files, kind, notes = _labelled(whole)
    named = [top for top in whole.tops if split_of(top)]
    notes += (f"taken for a class: {few(named)}",) if named else ()
    return Layout(kind, files, notes=notes, empty_classes=whole.empty_folders())


def _with_splits(whole: Below, splits: dict[str, str]) -> Layout:
    found: dict[str, tuple[LabelledFile, ...]] = {}
    kinds: list[str] = []
    notes: list[str] = []
    empty: list[str] = []
    for top, split in splits.items():
        part = whole.inside(top)
        if part.holds_only(top):  # an archive's own folder in the one that it was unpacked to
            part = part.inside(top)
        found[split], kind, part_notes = _labelled(part)
        kinds.append(kind)
        notes += part_notes
        empty += part.empty_folders() if kind == PER_FOLDER and split == "train" else []
    unused = [file.name for name, file in whole.images if name.parts[0] not in splits]
    notes += [f"not used, since it lies in no split's folder: {few(unused)}"] if unused else []
    title = f"{', '.join(f'{top}/' for top in splits)} with {' and '.join(dict.fromkeys(kinds))}"
    return Layout(
        title, found["train"], found.get("validation"), found.get("test"), tuple(notes), tuple(dict.fromkeys(empty))
    )


PER_FOLDER, FLAT = "one folder per class", "flat names (class before the first dot)"


def _labelled(part: Below) -> tuple[tuple[LabelledFile, ...], str, tuple[str, ...]]:
    """The files of one split with their classes, which layout it has, and notes."""
    beside = [(name, file) for name, file in part.images if not _deep(name)]
    if not part.tops:
        return _labelled_by_name(beside, part), FLAT, ()
    files = tuple(LabelledFile(file, (class_name(name.parts[0]),)) for name, file in part.images if _deep(name))
    notes = [f"not used, since it lies beside the class folders: {few([file.name for _, file in beside])}"]
    return files, PER_FOLDER, tuple(notes if beside else ())


def _labelled_by_name(images: Sequence[tuple[PurePosixPath, ImageFile]], part: Below) -> tuple[LabelledFile, ...]:
    files = []
    for name, file in images:
        flat = flat_class(name.name)
        if flat is None:
            raise ImgclfError(
                f"{part.describe()}: {name.name!r} does not tell its class: it lies in no class folder, and has no "
                "name such as cat.0.jpg",
                hint=f"Known: {LAYOUTS}; or a CSV file of names and labels: dataset.csv.",
            )
        files.append(LabelledFile(file, (flat,)))
    return tuple(files)


def _deep(name: PurePosixPath) -> bool:
    return len(name.parts) > 1
