"""`imgclf data show`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from imgclf.cli.data.options import Config, Save
from imgclf.cli.options import DataDir, Debug, Json, Set
from imgclf.texts import shape_text, size_text


def show_data(
    config: Config,
    set_: Set = None,
    augmented: Annotated[
        bool, typer.Option("--augmented", help="Also draw training images above their augmented versions.")
    ] = False,
    epoch: Annotated[int, typer.Option("--epoch", min=1, help="With --augmented: of which epoch.")] = 1,
    save: Save = None,
    data_dir: DataDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """What is in the data: shapes, images of each class, pixel statistics, bytes; bars and samples as pictures."""
    from imgclf.experiment.load import load_experiment

    loaded = load_experiment(config, set_ or ())  # mistakes are told before TensorFlow takes its seconds

    from imgclf.cli.results import print_json
    from imgclf.cli.screen import Terminal
    from imgclf.show_data import check_augmentation
    from imgclf.show_data import show_data as run

    if augmented:
        check_augmentation(loaded)
    with Terminal().working(debug, tensorflow=augmented) as screen:
        found = run(
            config,
            overrides=set_ or (),
            data_dir=data_dir,
            save=save,
            augmented=augmented,
            epoch=epoch,
            screen=screen,
        )
    if json:
        print_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    from imgclf.cli.results import line
    from imgclf.cli.tables import print_labelled

    for target in found["targets"]:
        _print_classes(target, list(found["splits"]), named=len(found["targets"]) > 1)
        line()
    print_labelled(_entries(found))


def _print_classes(target: dict[str, Any], splits: list[str], *, named: bool) -> None:
    from imgclf.cli.results import MANY_CLASSES
    from imgclf.cli.tables import print_table

    classes = target["classes"]
    rows = [[row["class_name"], *_counts(row, splits)] for row in classes[:MANY_CLASSES]]
    if len(classes) > MANY_CLASSES:
        rows.append([f"... {len(classes) - MANY_CLASSES:,} more classes: --json", *[""] * (len(splits) + 1)])
    sums = {split: sum(row[split] for row in classes) for split in splits}
    rows.append(["all", *_counts(sums, splits)])
    figures = [*splits, "images"]
    print_table([f"class of {target['name']}" if named else "class", *figures], rows, right=figures)


def _counts(row: dict[str, Any], splits: list[str]) -> list[str]:
    return [f"{row[split]:,}" for split in splits] + [f"{sum(row[split] for split in splits):,}"]


def _entries(found: dict[str, Any]) -> list[tuple[str, str]]:
    training, pixels = found["training"], found["pixels"]
    shape = shape_text(found["image_shape"])
    sizes = ", ".join(f"{split} {size_text(one['bytes'])}" for split, one in found["splits"].items())
    mean, deviation = (" ".join(f"{value:.2f}" for value in pixels[key]) for key in ("mean", "deviation"))
    in_training = shape_text(training["image_shape"])
    batch = f"{size_text(training['batch_bytes'])}, in the model {size_text(training['batch_bytes_in_the_model'])}"
    entries = [("data", note) for note in found["notes"]]
    entries += [
        ("images", f"{shape}, {found['dtype']}" + ("" if in_training == shape else f"; in training {in_training}")),
        ("pixels", f"mean {mean}, deviation {deviation} (training images, 0 to 255)"),
        ("uncompressed", f"{sizes}: so much memory or disk they take when all are decoded"),
        ("batch", f"{training['batch_size']} images: {batch}"),
        ("in memory", f"{size_text(training['bytes_in_memory'])} of pixels while it trains, the test images included"),
        *_mapped(training["bytes_mapped"]),
    ]
    for kind in ("unreadable", "unlabelled"):
        if found[kind]:
            entries.append((kind, f"{found[kind]:,} files are left out; `imgclf data check` lists them"))
    return entries + [("picture", path) for path in found["pictures"]]


def _mapped(count: int) -> list[tuple[str, str]]:
    text = f"{size_text(count)} of pixels in files: what is read stays in memory as long as nothing else needs the room"
    return [("mapped", text)] if count else []
