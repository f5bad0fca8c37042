"""`imgclf data prepare`."""

from __future__ import annotations

from typing import Annotated

import typer

from imgclf.cli.options import Debug

app = typer.Typer(help="Public archives, laid out as folders that an experiment can name.", no_args_is_help=True)


@app.command("cats-vs-dogs")
def cats_vs_dogs(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="Folder or zip archive: Kaggle's flat names (cat.0.jpg), or PetImages/Cat and Dog."
        ),
    ],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Folder to make; it must not be there, or be empty.")],
    train: Annotated[int, typer.Option("--train", min=1, help="Training images of each class.")] = 1000,
    test: Annotated[int, typer.Option("--test", min=1, help="Test images of each class.")] = 400,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Which images those are.")] = 0,
    debug: Debug = False,
) -> None:
    """Copy cats and dogs to TARGET/train and TARGET/test, no picture twice; TARGET/files.csv says what went where."""
    from imgclf.cli.screen import Terminal
    from imgclf.cli.tables import print_table, print_text
    from imgclf.datasets.folders.cats_vs_dogs import LIST, prepare_cats_vs_dogs
    from imgclf.texts import from_home

    folder = from_home(target)
    with Terminal().working(debug, tensorflow=False) as screen:
        prepared = prepare_cats_vs_dogs(
            from_home(source), folder, train=train, test=test, seed=seed, report_progress=screen.progress
        )
    counts = prepared.counts()
    rows = [[split, *(f"{counts[split, label]:,}" for label in ("cat", "dog"))] for split in ("train", "test")]
    print_table(["split", "cat", "dog"], rows, right=["cat", "dog"])
    for one in prepared.left_out:
        print_text(f"left out {one.source.path}: {one.left_out}")
    if prepared.without_class:
        print_text(f"not used: {len(prepared.without_class):,} images whose names tell no class")
    if prepared.passed_over:
        print_text(prepared.passed_over)
    print_text(f"{folder / LIST} says which file went where")
