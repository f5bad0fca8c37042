"""The job `data check`: what is wrong in an experiment's data, before a minute is spent on training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from imgclf.datasets.base import Split, Splits, file_behind
from imgclf.datasets.pixels.census import class_counts
from imgclf.datasets.pixels.duplicates import NearPairs, Prints, equal_images, near_images, take_prints, usual_likeness
from imgclf.datasets.pixels.rounded import rounded
from imgclf.errors import ImgclfError, encodable
from imgclf.experiment.load import LoadedExperiment, load_experiment
from imgclf.images.perceptual import Likeness
from imgclf.loading import load_splits, say_undrawable
from imgclf.runs.files import write_whole
from imgclf.screen import Screen, Silent
from imgclf.show_data import pictures_folder, splits_by_name
from imgclf.texts import few

IMBALANCED = 3  # a class with so many times the images of another is worth a warning
DRAWN_PAIRS = 24
TITLE_LENGTH = 30
NO_IMAGES = "an experiment needs training images"


@dataclass(frozen=True)
class _Data:
    """The loaded splits by name, and the prints of their images."""

    loaded: Splits
    splits: dict[str, Split]
    prints: dict[str, Prints]
    likeness: Likeness


def check_data(
    config: str | Path,
    *,
    overrides: Sequence[str] = (),
    data_dir: str | Path | None = None,
    save: str | Path | None = None,
    screen: Screen | None = None,
) -> dict[str, Any]:
    """What was found in the data of CONFIG, as plain data; pairs of like images are drawn to pairs.png in ``save``.

    ``shared`` counts the test images that are training or validation images too, and ``warnings`` are sentences. The
    images are read in pieces, all splits of them. Raises ImgclfError where config or data are missing or wrong.
    """
    screen = screen or Silent()
    loaded = load_experiment(str(config), overrides)
    tolerant = loaded.experiment.model_copy(update={"dataset": loaded.experiment.dataset.tolerant()})
    data = _read(load_splits(tolerant, data_dir, screen), screen)
    groups = [_Group(members) for members in equal_images(list(data.prints.values()))]
    near = list(_near(data))
    found = _report(loaded, data, groups, near)
    pairs = _pairs(data, groups, near)
    if pairs:
        path = pictures_folder(save, loaded.name) / "pairs.png"
        say_undrawable(data.loaded.targets, screen.say)
        write_whole(path, _drawn(data, pairs))
        found["picture"] = str(path)
    return found


@dataclass(frozen=True)
class _Group:
    """Images with equal pixels, each as (number of the split, index)."""

    members: list[tuple[int, int]]

    @property
    def splits(self) -> list[int]:
        return sorted({split for split, _ in self.members})


@dataclass(frozen=True)
class _Near:
    """The like images of two splits, named."""

    names: tuple[str, str]
    found: NearPairs


def _read(loaded: Splits, screen: Screen) -> _Data:
    if len(loaded.train) == 0:
        raise ImgclfError(f"the training split has no images: {NO_IMAGES}")
    splits = splits_by_name(loaded)
    likeness = usual_likeness(loaded.train.pixels)
    prints = {name: _prints(name, split, likeness, screen) for name, split in splits.items()}
    return _Data(loaded, splits, prints, likeness)


def _prints(name: str, split: Split, likeness: Likeness, screen: Screen) -> Prints:
    def report(done: int, total: int) -> None:
        screen.progress(f"reading the {name} images", done, total)

    return take_prints(split.pixels, likeness, report)


def _near(data: _Data) -> Iterator[_Near]:
    """Every two splits, those with the test split first."""
    for first, second in sorted(combinations(data.splits, 2), key=lambda names: names[1] != "test"):
        pixels = data.splits[first].pixels, data.splits[second].pixels
        prints = data.prints[first], data.prints[second]
        yield _Near((first, second), near_images(pixels, prints, data.likeness))


def _report(loaded: LoadedExperiment, data: _Data, groups: list[_Group], near: list[_Near]) -> dict[str, Any]:
    unreadable, images = len(data.loaded.unreadable()), sum(len(one) for one in data.splits.values())
    searched = [one.found.radius for one in near if one.found.radius is not None]
    found = {
        "name": loaded.name,
        "notes": list(data.loaded.notes),
        "image_shape": list(data.loaded.train.pixels.image_shape),
        "dtype": str(data.loaded.train.pixels.dtype),
        "images": {split: len(one) for split, one in data.splits.items()},
        "refused": loaded.experiment.dataset.refuses(unreadable, data.loaded.files or images + unreadable),
        "unreadable": [{"file": str(one.file), "reason": one.reason} for one in data.loaded.unreadable()],
        "unlabelled": [{"file": str(one.file), "reason": one.reason} for one in data.loaded.unlabelled()],
        "exact_duplicates": [_group(data, group) for group in groups],
        "near_duplicates": [pair for one in near for pair in _near_pairs(data, one)],
        "near_search": {
            "correlation_at_least": data.likeness.alike,
            "bits_differ_at_most": min(searched) if len(searched) == len(near) else None,
            "pairs_passed_over": sum(one.found.passed_over for one in near),
        },
        "shared": _shared(data, groups, near),
        "one_colour": [image for split in data.splits for image in _of_one_colour(data, split)],
        "targets": list(_targets(data)),
        "picture": None,
    }
    return found | {"warnings": list(_warnings(found))}


def _image(data: _Data, split: str, index: int) -> dict[str, Any]:
    """An image as the report names it."""
    labels = data.splits[split].labels[index]
    names = {target.name: target.class_names[label] for target, label in zip(data.loaded.targets, labels, strict=True)}
    return {
        "split": split,
        "index": index,
        "file": file_behind(data.splits[split].pixels, index),
        "classes": names,
    }


def _group(data: _Data, group: _Group) -> dict[str, Any]:
    names = list(data.splits)
    images = [_image(data, names[split], index) for split, index in group.members]
    return {"images": images, "labels_differ": any(one["classes"] != images[0]["classes"] for one in images)}


def _near_pairs(data: _Data, near: _Near) -> Iterator[dict[str, Any]]:
    for pair, correlation in zip(near.found.pairs.tolist(), near.found.correlation.tolist(), strict=True):
        images = [_image(data, split, index) for split, index in zip(near.names, pair, strict=True)]
        yield {
            "images": images,
            "correlation": round(correlation, 5),
            "labels_differ": images[0]["classes"] != images[1]["classes"],
        }


def _shared(data: _Data, groups: list[_Group], near: list[_Near]) -> dict[str, int]:
    """How many test images are training or validation images too: equal, or (those that are not) alike."""
    test = list(data.splits).index("test")
    exact = {index for group in groups if len(group.splits) > 1 for split, index in group.members if split == test}
    alike = {int(second) for one in near if one.names[1] == "test" for second in one.found.pairs[:, 1]}
    return {"exact": len(exact), "near": len(alike - exact)}


def _of_one_colour(data: _Data, split: str) -> Iterator[dict[str, Any]]:
    positions = np.flatnonzero(data.prints[split].is_one_colour)
    yield from (_image(data, split, int(index)) for index in positions)


def _targets(data: _Data) -> Iterator[dict[str, Any]]:
    """Of each label column: its largest and smallest class in training, and the classes that a split has not."""
    targets = data.loaded.targets
    counts = {split: class_counts(one, targets) for split, one in data.splits.items()}
    for column, target in enumerate(targets):
        train = counts["train"][column]
        largest, smallest = int(train.argmax()), int(np.where(train > 0, train, train.max()).argmin())
        yield {
            "name": target.name,
            "classes": len(target.class_names),
            "largest": {"class_name": target.class_names[largest], "images": int(train[largest])},
            "smallest": {"class_name": target.class_names[smallest], "images": int(train[smallest])},
            "without_images": {
                split: [target.class_names[label] for label in np.flatnonzero(of[column] == 0)]
                for split, of in counts.items()
            },
        }


def _warnings(found: dict[str, Any]) -> Iterator[str]:
    if found["unreadable"]:
        limit = ", which is more than dataset.max_unreadable: no run starts" if found["refused"] else ""
        yield f"{_count(found['unreadable'], 'unreadable file')} left out of the data{limit}"
    if found["unlabelled"]:
        yield f"left out of the data for want of a label: {len(found['unlabelled']):,}"
    for kind, repeated in (("equal", "exact_duplicates"), ("alike", "near_duplicates")):
        if differing := sum(one["labels_differ"] for one in found[repeated]):
            yield f"images that are {kind} have different labels: {differing:,} times; some of these labels are wrong"
    if found["near_search"]["bits_differ_at_most"] is None:
        yield "near duplicates were not looked for: too many images have the same hash"
    if passed_over := found["near_search"]["pairs_passed_over"]:
        yield f"so many images are alike that {passed_over:,} more pairs were not looked at"
    if found["one_colour"]:
        yield f"{_count(found['one_colour'], 'image')} of one colour: there is nothing to see on it"
    for target in found["targets"]:
        yield from _target_warnings(target)


def _count(things: list[Any], name: str) -> str:
    return f"1 {name} is" if len(things) == 1 else f"{len(things):,} {name}s are"


def _target_warnings(target: dict[str, Any]) -> Iterator[str]:
    for split, names in target["without_images"].items():
        if names:
            yield f"{target['name']}: {_classes(names)} without an image in the {_split_text(split)}"
    largest, smallest = target["largest"], target["smallest"]
    if largest["images"] >= IMBALANCED * smallest["images"]:
        yield (
            f"{target['name']}: the classes are imbalanced: {largest['images']:,} training images of "
            f"{largest['class_name']}, {smallest['images']:,} of {smallest['class_name']}; training.class_weight can "
            f"weigh them"
        )


def _split_text(split: str) -> str:
    return {"train": "training split: nothing can be learnt of that"}.get(split, f"{split} split")


def _classes(names: list[str]) -> str:
    return f"class {names[0]}" if len(names) == 1 else f"{len(names):,} classes ({few(names, 8)})"


@dataclass(frozen=True)
class _Pair:
    """Two images that the picture shows, as (split, index), and what is said of them."""

    images: tuple[tuple[str, int], tuple[str, int]]
    said: str

    @property
    def rank(self) -> int:
        """Test images that were trained on come first, then what other splits share."""
        splits = [split for split, _ in self.images]
        return 2 if splits[0] == splits[1] else 0 if "test" in splits else 1


def _pairs(data: _Data, groups: list[_Group], near: list[_Near]) -> list[_Pair]:
    """The pairs to draw, of each group of equal images one: of two splits where the group has some."""
    names = list(data.splits)
    pairs = []
    for group in groups:
        (split, index), (other_split, other) = group.members[0], group.members[-1]
        pairs.append(_Pair(((names[split], index), (names[other_split], other)), "equal"))
    for one in near:
        for (index, other), correlation in zip(one.found.pairs.tolist(), one.found.correlation, strict=True):
            pairs.append(_Pair(((one.names[0], index), (one.names[1], other)), f"r={correlation:.4f}"))
    return sorted(pairs, key=lambda pair: pair.rank)


def _drawn(data: _Data, pairs: list[_Pair]) -> bytes:
    from imgclf.reporting.grids import draw_pairs

    shown = pairs[:DRAWN_PAIRS]
    rows = [
        np.concatenate([rounded(data.splits[split].pixels).take(np.array([index])) for split, index in side])
        for side in zip(*(pair.images for pair in shown), strict=True)
    ]
    titles = []
    for pair in shown:
        first, second = (_image(data, *image) for image in pair.images)
        same = None if first["classes"] == second["classes"] else False
        titles.append(((_title(first), same), (_title(second, f", {pair.said}"), same)))
    some = "" if len(shown) == len(pairs) else f" ({len(shown)} of {len(pairs):,})"
    return draw_pairs(rows[0], rows[1], titles, f"Images that are there twice{some}")


def _title(image: dict[str, Any], said: str = "") -> str:
    name = str(image["index"]) if image["file"] is None else PurePath(image["file"]).name
    name = encodable(name)
    name = name if len(name) <= TITLE_LENGTH else "…" + name[1 - TITLE_LENGTH :]
    return f"{image['split']} {name}{said} ({', '.join(image['classes'].values())})"


def image_text(image: dict[str, Any]) -> str:
    """How an image of the report is named to a person: by its file where it has one, else by its place in the split."""
    name = image["file"] or f"image {image['index']}"
    return f"{image['split']} {name}"
