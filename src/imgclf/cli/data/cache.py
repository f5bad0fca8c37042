"""`imgclf data cache`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from imgclf.cli.options import Json
from imgclf.texts import shape_text, size_text

if TYPE_CHECKING:
    from imgclf.datasets.cache.entries import Entry
    from imgclf.feature_files import FeatureFile

app = typer.Typer(
    help="Decoded image files and stored features, kept so that the next run starts at once; in $IMGCLF_CACHE_DIR, or "
    "the system's place.",
    no_args_is_help=True,
)


@app.command("list")
def list_cache(json: Json = False) -> None:
    """What is kept: decoded images with their source folder, number, size and date; stored features with
    data set, network, shape, number, size and date.
    """
    from imgclf.cli.results import print_json
    from imgclf.cli.tables import print_table, print_text
    from imgclf.datasets.cache.entries import list_entries
    from imgclf.feature_files import list_features
    from imgclf.places import cache_folder

    folder = cache_folder()
    entries, features = list_entries(folder), list_features()
    if json:
        print_json([entry.to_json() for entry in entries] + [one.to_json() for one in features])
        return
    if not entries:
        print_text(f"no decoded images in {folder}")
    else:
        rows = [_row(entry) for entry in entries]
        print_table(["made", "images", "shape", "size", "source", "folder"], rows, right=["images", "size"])
        print_text(
            f"{size_text(sum(entry.size_bytes for entry in entries))} in {folder}; imgclf data cache clear frees it"
        )
    if features:
        rows = [_features_row(one) for one in features]
        head = ["made", "data set", "network", "shape", "images", "features", "size", "file"]
        print_table(head, rows, right=["images", "features", "size"])


@app.command("clear")
def clear_cache(json: Json = False) -> None:
    """Remove everything that is kept; it is made again when it is needed. Image files themselves stay.

    Exit status 1 when something could not be removed.
    """
    from imgclf.cli.results import print_json
    from imgclf.cli.tables import print_text
    from imgclf.datasets.cache.entries import clear
    from imgclf.feature_files import clear_features
    from imgclf.places import cache_folder

    folder = cache_folder()
    cleared, features = clear(folder), clear_features()
    removed, freed = cleared.removed + features.removed, cleared.freed_bytes + features.freed_bytes
    if json:
        busy, left = ([str(path) for path in paths] for paths in (cleared.busy, cleared.left))
        print_json({"removed": removed, "freed_bytes": freed, "busy": busy, "left": left})
    else:
        print_text(f"removed {removed:,} from {folder}: {size_text(freed)}")
        for path in cleared.busy:
            print_text(f"kept {path}: a run is making it now")
        for path in cleared.left:
            print_text(f"could not be removed: {path}")
    if cleared.left:
        raise typer.Exit(1)


def _features_row(one: FeatureFile) -> list[str]:
    of = [one.dataset or "-", one.network or "-", shape_text(one.shape) if one.shape else "-"]
    return [one.made, *of, f"{one.images:,}", f"{one.numbers:,}", size_text(one.size_bytes), one.file.name]


def _row(entry: Entry) -> list[str]:
    if entry.problem:
        return [entry.created, "-", "-", size_text(entry.size_bytes), f"damaged: {entry.problem}", entry.folder.name]
    shape = shape_text(entry.image_shape)
    return [entry.created, f"{entry.images:,}", shape, size_text(entry.size_bytes), entry.source, entry.folder.name]
