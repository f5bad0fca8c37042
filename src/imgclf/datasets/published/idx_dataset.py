"""What the published data sets in MNIST's format have in common: finding, downloading, reading, splitting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import ArrayPixels, DataPlaces, DatasetSettings, Split, Splits
from imgclf.datasets.published.idx_facts import HEIGHT, WIDTH, IdxDataset
from imgclf.datasets.published.idx_sources import IDX_FILES, Part, Source, look_at
from imgclf.datasets.published.whereabouts import (
    Place,
    PublishedFile,
    Whereabouts,
    find_or_download,
    keras_datasets_folder,
)
from imgclf.datasets.split import build_splits
from imgclf.errors import ImgclfError


def load_idx_dataset(dataset: IdxDataset, settings: DatasetSettings, places: DataPlaces, seed: int) -> Splits:
    """The training data, and a promise of the test data whose headers have been checked.

    Raises ImgclfError where the data set is found nowhere and cannot be downloaded, or a file is not what it should be.
    """
    source, notes = find_or_download(idx_whereabouts(dataset, places.data_dir), places)
    test_images = _check_shape(dataset, source, "test")
    _check_shape(dataset, source, "train")
    return build_splits(
        settings,
        seed,
        whole=_read(dataset, source, "train"),
        load_test=lambda: _read(dataset, source, "test"),
        test_images=test_images,
        targets=dataset.targets,
        notes=(f"{dataset.title} from {source.describe()}", *notes),
    )


def idx_whereabouts(dataset: IdxDataset, data_dir: Path) -> Whereabouts[Source]:
    """Where the data set may lie: in the data folder, Keras' cache or the system's folders, or else on its mirrors."""
    own = [Place(data_dir / folder, of_user=True) for folder in dataset.folders]
    shared = [keras_datasets_folder() / dataset.keras_name, *dataset.system_folders]
    folder = data_dir / dataset.folders[0]
    files = zip(IDX_FILES, dataset.content_bytes, dataset.content_sha256, strict=True)
    return Whereabouts(
        dataset.title,
        places=(*own, *(Place(path, of_user=False) for path in shared)),
        look_at=look_at,
        files=tuple(PublishedFile(f"{name}.gz", size, sha256) for name, size, sha256 in files),
        mirrors=dataset.mirrors,
        folder=folder,
        arrives_at=folder,
        wanted=f"the files {', '.join(IDX_FILES)} (each plain or .gz)",
        obtain=f"Put the four files into {folder}. {dataset.obtain}",
    )


def _check_shape(dataset: IdxDataset, source: Source, part: Part) -> int:
    images, height, width = source.shape(part)
    if (height, width) != (HEIGHT, WIDTH):
        raise ImgclfError(
            f"{source.describe()}: images of {dataset.title} must be {HEIGHT} x {WIDTH} pixels; "
            f"got {height} x {width} in the {part} part",
        )
    return images


def _read(dataset: IdxDataset, source: Source, part: Part) -> Split:
    (target,) = dataset.targets
    images, labels = source.read(part, classes=len(target.class_names))
    return Split(ArrayPixels(_with_channel(images)), labels[:, np.newaxis])


def _with_channel(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images[..., np.newaxis]
