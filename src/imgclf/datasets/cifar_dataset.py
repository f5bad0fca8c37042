"""CIFAR-10 and CIFAR-100: finding, downloading, reading, splitting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imgclf.datasets.base import ArrayPixels, DataPlaces, DatasetSettings, Split, Splits, Target
from imgclf.datasets.cifar_files import CifarFiles, Part, look_at
from imgclf.datasets.published_cifar import CifarDataset
from imgclf.datasets.sources import Miss, keras_datasets_folder
from imgclf.datasets.split import build_splits
from imgclf.errors import ImgclfError


def load_cifar(
    dataset: CifarDataset, settings: DatasetSettings, target: Target, labels: str, places: DataPlaces, seed: int
) -> Splits:
    """The training data, and a promise of the test data; ``labels`` names the labels to take from the files.

    Raises ImgclfError where the data set is found nowhere and cannot be downloaded, or a file is not what it should be.
    """
    files, notes = find_or_download_cifar(dataset, places)

    def read(part: Part) -> Split:
        images, numbers = files.read(part, labels, len(target.class_names))
        return Split(ArrayPixels(images), numbers[:, np.newaxis])

    return build_splits(
        settings,
        seed,
        whole=read("train"),
        load_test=lambda: read("test"),
        test_images=dataset.test_images,
        targets=(target,),
        notes=(f"{dataset.title} from {files.describe()}", *notes),
    )


def find_or_download_cifar(dataset: CifarDataset, places: DataPlaces) -> tuple[CifarFiles, list[str]]:
    """The files of the data set, and lines for the user; raises ImgclfError as ``load_cifar`` does."""
    own = [places.data_dir / name for name in (*dataset.folders, *dataset.archives)]
    misses: list[Miss] = []
    for path in (*own, *(keras_datasets_folder() / name for name in dataset.keras_places)):
        found = look_at(path, dataset)
        if isinstance(found, CifarFiles):
            return found, [f"{dataset.title}: passed over {miss.path}: {miss.problem}" for miss in misses]
        if found.notable and path in own:
            raise ImgclfError(
                f"{found.path}: {found.problem}",
                hint="Put what is missing beside the rest, or move it away: what is there is not mixed with files of "
                "other places.",
            )
        misses += [found] if found.notable else []
    return _download(dataset, places, own)


def _download(dataset: CifarDataset, places: DataPlaces, looked_in: Sequence[Path]) -> tuple[CifarFiles, list[str]]:
    # Imported here: it takes about 50 ms, which only a download should cost.
    from imgclf.datasets.download import PublishedFile, download_files

    name = dataset.archives[0]
    file = PublishedFile(name, dataset.archive_bytes, dataset.archive_sha256, is_hashed_packed=True)
    download = download_files([file], dataset.mirrors, places.data_dir, places.report_progress)
    found = look_at(places.data_dir / name, dataset)
    if download.complete and isinstance(found, CifarFiles):
        notes = [f"{dataset.title}: downloaded from {', '.join(download.mirrors)}", *download.failures]
        return found, notes
    lines = [
        f"{dataset.title}: found in none of its places, and could not be downloaded",
        *(f"  looked in {path}" for path in looked_in),
        f"  and in Keras' cache, {keras_datasets_folder()}, for {', '.join(dataset.keras_places)}",
        *(f"  tried {failure}" for failure in download.failures),
    ]
    wanted = f"Put {name} into {places.data_dir}, or unpack it there"
    raise ImgclfError("\n".join(lines), hint=f"{wanted}. It is published at {dataset.mirrors[0]}{name}")
