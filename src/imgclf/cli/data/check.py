"""`imgclf data check`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from imgclf.cli.data.options import Config, Save
from imgclf.cli.options import DataDir, Debug, Json, Set
from imgclf.texts import shape_text

LISTED = 20  # of each kind, on the screen; --json has all


def check_data(
    config: Config,
    set_: Set = None,
    save: Save = None,
    data_dir: DataDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """What is wrong in the data: unreadable files, duplicates, images of one colour, missing and rare classes.

    Exit status 1 when the test split shares images with the training data (validation included), equal or alike, or
    when so many files are unreadable that no run would start.
    """
    from imgclf.experiment.load import load_experiment

    load_experiment(config, set_ or ())  # mistakes are told before the data is read

    from imgclf.check_data import check_data as run
    from imgclf.cli.results import print_json
    from imgclf.cli.screen import Terminal

    with Terminal().working(debug, tensorflow=False) as screen:
        found = run(config, overrides=set_ or (), data_dir=data_dir, save=save, screen=screen)
    if json:
        print_json(found)
    else:
        _print(found)
    if found["shared"]["exact"] or found["shared"]["near"] or found["refused"]:
        raise typer.Exit(1)


def _print(found: dict[str, Any]) -> None:
    from imgclf.check_data import image_text
    from imgclf.cli.results import line

    for note in found["notes"]:
        line(f"data: {note}")
    images = ", ".join(f"{split} {count:,}" for split, count in found["images"].items())
    line(f"images: {images}, {shape_text(found['image_shape'])}, {found['dtype']}")
    _print_list("unreadable files", [f"{one['file']}: {one['reason']}" for one in found["unreadable"]])
    if found["unlabelled"]:
        _print_list("without a label", [f"{one['file']}: {one['reason']}" for one in found["unlabelled"]])
    _print_list("groups of equal images", [_group_text(group) for group in _across_first(found["exact_duplicates"])])
    _print_list(_near_heading(found["near_search"]), [_near_text(pair) for pair in found["near_duplicates"]])
    _print_list("images of one colour", [image_text(image) for image in found["one_colour"]])
    for target in found["targets"]:
        line(_classes_text(target))
    line()
    for warning in found["warnings"]:
        line(f"warning: {warning}")
    line(_verdict(found["shared"]))
    if found["picture"]:
        line(f"the pairs are drawn in {found['picture']}")


def _print_list(heading: str, texts: Sequence[str]) -> None:
    from imgclf.cli.results import line

    line(f"{heading}: {len(texts):,}")
    for text in texts[:LISTED]:
        line(f"  {text}")
    if len(texts) > LISTED:
        line(f"  ... {len(texts) - LISTED:,} more: --json")


def _across_first(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(groups, key=lambda group: len({image["split"] for image in group["images"]}) == 1)


def _group_text(group: dict[str, Any]) -> str:
    from imgclf.check_data import image_text

    told = [image_text(image) for image in group["images"]]
    more = f" and {len(told) - 4:,} more" if len(told) > 5 else ""
    return " = ".join(told[:4] if more else told) + more + _labels_text(group)


def _near_heading(search: dict[str, Any]) -> str:
    heading = "pairs of images alike in two splits"
    if search["bits_differ_at_most"] is None:
        return heading
    bits = f"at most {search['bits_differ_at_most']} of 64 bits of their hashes differ"
    return f"{heading} ({bits}, pixels correlate by {search['correlation_at_least']} or more)"


def _near_text(pair: dict[str, Any]) -> str:
    from imgclf.check_data import image_text

    first, second = (image_text(image) for image in pair["images"])
    return f"{first} ~ {second} ({pair['correlation']:.4f}){_labels_text(pair)}"


def _labels_text(found: dict[str, Any]) -> str:
    """The labels, where they are not the same."""
    if not found["labels_differ"]:
        return ""
    names = dict.fromkeys(", ".join(image["classes"].values()) for image in found["images"])
    return f": labelled {' and '.join(names)}"


def _classes_text(target: dict[str, Any]) -> str:
    largest, smallest = target["largest"], target["smallest"]
    if largest["images"] == smallest["images"]:
        return f"classes of {target['name']}: {target['classes']:,}, of {largest['images']:,} training images each"
    return (
        f"classes of {target['name']}: {target['classes']:,}; training images from {smallest['images']:,} "
        f"({smallest['class_name']}) to {largest['images']:,} ({largest['class_name']})"
    )


def _verdict(shared: dict[str, int]) -> str:
    if not shared["exact"] and not shared["near"]:
        return "no test image is among the training and validation images"
    counts = f"{shared['exact']:,} equal, {shared['near']:,} alike"
    return f"test images that are among the training and validation images: {counts}"
