"""`imgclf data download`."""

from __future__ import annotations

from typing import Annotated

import typer

from imgclf.cli.options import DataDir, Debug
from imgclf.datasets import publications
from imgclf.datasets.base import DataPlaces
from imgclf.errors import ImgclfError

_NAMES = list(publications())


def download(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help=", ".join(_NAMES) + ".", autocompletion=lambda: _NAMES)
    ],
    classes: Annotated[
        str | None,
        typer.Option("--classes", metavar="A,B,...", help="Of quickdraw: the classes, about 100 MB each."),
    ] = None,
    data_dir: DataDir = None,
    debug: Debug = False,
) -> None:
    """Fetch a published data set into the data folder; what is there already stays as it is."""
    from imgclf.cli.results import line
    from imgclf.cli.screen import Terminal
    from imgclf.places import data_folder

    publication = publications().get(dataset)
    if publication is None:
        raise ImgclfError(f"{dataset}: is no data set that is downloaded", hint=f"There are: {', '.join(_NAMES)}.")
    wanted = [name.strip() for name in (classes or "").split(",") if name.strip()]
    if publication.by_class != bool(wanted):
        message = "needs --classes" if publication.by_class else "has no --classes: it comes as a whole"
        raise ImgclfError(f"{dataset} {message}", hint="imgclf data download quickdraw --classes 'cat,alarm clock'")
    with Terminal().working(debug, tensorflow=False) as screen:
        publication.fetch(DataPlaces(data_folder(data_dir), screen.progress), wanted, line)
