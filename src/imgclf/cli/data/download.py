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
    cifar10 = "cifar10"
    cifar100 = "cifar100"


def download(
    dataset: Annotated[
        Published, typer.Argument(metavar="DATASET", help="quickdraw, mnist, fashion_mnist, cifar10 or cifar100.")
    ],
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
    with Terminal().working(debug, tensorflow=False) as screen:
        _download(dataset, wanted, DataPlaces(data_folder(data_dir), screen.progress))


def _download(dataset: Published, classes: list[str], places: DataPlaces) -> None:
    from imgclf.cli.results import line
    from imgclf.datasets.cifar10 import CIFAR10
    from imgclf.datasets.cifar100 import CIFAR100
    from imgclf.datasets.cifar_dataset import find_or_download_cifar
    from imgclf.datasets.fashion_mnist import FASHION_MNIST
    from imgclf.datasets.idx_dataset import find_or_download
    from imgclf.datasets.mnist import MNIST
    from imgclf.datasets.quickdraw_download import download_quickdraw

    if dataset is Published.quickdraw:
        download_quickdraw(classes, places.data_dir / "quickdraw", places.report_progress, line)
        return
    cifar = {Published.cifar10: CIFAR10, Published.cifar100: CIFAR100}
    idx = {Published.mnist: MNIST, Published.fashion_mnist: FASHION_MNIST}
    if dataset in cifar:
        files, notes = find_or_download_cifar(cifar[dataset], places)
        found = f"{cifar[dataset].title} is in {files.describe()}"
    else:
        source, notes = find_or_download(idx[dataset], places)
        found = f"{idx[dataset].title} is in {source.describe()}"
    for text in (found, *notes):
        line(text)
