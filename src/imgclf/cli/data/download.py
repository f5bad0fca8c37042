"""`imgclf data download`."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from imgclf.cli.options import DataDir, Debug
from imgclf.datasets.base import DataPlaces
from imgclf.errors import ImgclfError


class Published(str, Enum):
    """The data sets that can be downloaded."""

    quickdraw = "quickdraw"
    mnist = "mnist"
    fashion_mnist = "fashion_mnist"


def download(
    dataset: Annotated[Published, typer.Argument(metavar="DATASET", help="quickdraw, mnist or fashion_mnist.")],
    classes: Annotated[
        str | None,
        typer.Option("--classes", metavar="A,B,...", help="Of quickdraw: the classes, about 100 MB each."),
    ] = None,
    data_dir: DataDir = None,
    debug: Debug = False,
) -> None:
    """Fetch a published data set into the data folder; what is there already stays as it is."""
    from imgclf.cli.screen import Terminal
    from imgclf.places import data_folder

    wanted = [name.strip() for name in (classes or "").split(",") if name.strip()]
    if (dataset is Published.quickdraw) != bool(wanted):
        message = "needs --classes" if dataset is Published.quickdraw else "has no --classes: it comes as a whole"
        raise ImgclfError(
            f"{dataset.value} {message}", hint="imgclf data download quickdraw --classes 'cat,alarm clock'"
        )
    with Terminal().working(debug) as screen:
        _download(dataset, wanted, DataPlaces(data_folder(data_dir), screen.progress))


def _download(dataset: Published, classes: list[str], places: DataPlaces) -> None:
    from imgclf.cli.results import line
    from imgclf.datasets.fashion_mnist import FASHION_MNIST
    from imgclf.datasets.idx_dataset import find_or_download
    from imgclf.datasets.mnist import MNIST
    from imgclf.datasets.quickdraw_download import download_quickdraw

    if dataset is Published.quickdraw:
        download_quickdraw(classes, places.data_dir / "quickdraw", places.report_progress, line)
        return
    published = MNIST if dataset is Published.mnist else FASHION_MNIST
    source, notes = find_or_download(published, places)
    for text in (f"{published.title} is in {source.describe()}", *notes):
        line(text)
