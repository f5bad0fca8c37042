"""CIFAR-10 and CIFAR-100: finding, downloading, reading, splitting."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imgclf.datasets.base import ArrayPixels, DataPlaces, DatasetSettings, Split, Splits, Target
from imgclf.datasets.published.cifar_facts import CifarDataset
from imgclf.datasets.published.cifar_files import CifarFiles, Part, look_at
from imgclf.datasets.published.whereabouts import (
    Place,
    PublishedFile,
    Whereabouts,
    find_or_download,
    keras_datasets_folder,
)
from imgclf.datasets.split import build_splits


def load_cifar(
    dataset: CifarDataset, settings: DatasetSettings, target: Target, labels: str, places: DataPlaces, seed: int
) -> Splits:
    """The training data, and a promise of the test data; ``labels`` names the labels to take from the files.

    Raises ImgclfError where the data set is found nowhere and cannot be downloaded, or a file is not what it should be.
    """
    files, notes = find_or_download(cifar_whereabouts(dataset, places.data_dir), places)

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


def cifar_whereabouts(dataset: CifarDataset, data_dir: Path) -> Whereabouts[CifarFiles]:
    """Where the data set may lie: in the data folder or Keras' cache, or else on its mirrors."""
    own = [data_dir / name for name in (*dataset.folders, *dataset.archives)]
    shared = [keras_datasets_folder() / name for name in dataset.keras_places]
    archive = dataset.archives[0]
    return Whereabouts(
        dataset.title,
        places=(*(Place(path, of_user=True) for path in own), *(Place(path, of_user=False) for path in shared)),
        look_at=lambda path: look_at(path, dataset),
        files=(PublishedFile(archive, dataset.archive_bytes, dataset.archive_sha256, is_hashed_packed=True),),
        mirrors=dataset.mirrors,
        folder=data_dir,
        arrives_at=data_dir / archive,
        wanted="its python batches or its binary version, in a folder or an archive",
        obtain=f"Put {archive} into {data_dir}, or unpack it there. It is published at {dataset.mirrors[0]}{archive}",
    )
