"""What the published data sets in MNIST's format have in common: finding, downloading, reading, splitting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import ArrayPixels, DataPlaces, DatasetSettings, Split, Splits
from imgclf.datasets.published import HEIGHT, WIDTH, IdxDataset
from imgclf.datasets.sources import IDX_FILES, Miss, Part, Place, Source, find_source, keras_datasets_folder
from imgclf.datasets.split import build_splits
from imgclf.errors import ImgclfError


def load_idx_dataset(dataset: IdxDataset, settings: DatasetSettings, places: DataPlaces, seed: int) -> Splits:
    """The training data, and a promise of the test data whose headers have been checked.

    Raises ImgclfError where the data set is found nowhere and cannot be downloaded, or a file is not what it should be.
    """
    source, notes = find_or_download(dataset, places)
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


def find_or_download(dataset: IdxDataset, places: DataPlaces) -> tuple[Source, list[str]]:
    """The first place that holds the data set, where it is downloaded to if none does; and lines for the user."""
    source, misses = find_source(_places_of(dataset, places.data_dir))
    notes = [f"{dataset.title}: passed over {miss.path}: {miss.problem}" for miss in misses if miss.notable]
    if source is None:
        source, download_notes = _download(dataset, places, misses)
        notes += download_notes
    return source, notes


def _places_of(dataset: IdxDataset, data_dir: Path) -> list[Place]:
    own = [Place(data_dir / folder, of_user=True) for folder in dataset.folders]
    shared = [keras_datasets_folder() / dataset.keras_name, *dataset.system_folders]
    return own + [Place(path, of_user=False) for path in shared]


def _download(dataset: IdxDataset, places: DataPlaces, misses: Sequence[Miss]) -> tuple[Source, list[str]]:
    # Imported here: it takes about 50 ms, which only a download should cost.
    from imgclf.datasets.download import PublishedFile, download_files

    folder = places.data_dir / dataset.folders[0]
    files = [
        PublishedFile(f"{name}.gz", size, sha256)
        for name, size, sha256 in zip(IDX_FILES, dataset.content_bytes, dataset.content_sha256, strict=True)
    ]
    download = download_files(files, dataset.mirrors, folder, places.report_progress)
    source, _ = find_source([Place(folder, of_user=True)])
    if not download.complete or source is None:
        raise _nowhere(dataset, folder, misses, download.failures)
    return source, [f"{dataset.title}: downloaded from {', '.join(download.mirrors)}", *download.failures]


def _nowhere(dataset: IdxDataset, folder: Path, misses: Sequence[Miss], failures: Sequence[str]) -> ImgclfError:
    lines = [
        f"{dataset.title}: found in none of its places, and could not be downloaded",
        *(f"  looked in {miss.path}: {miss.problem}" for miss in misses),
        f"  for the files {', '.join(IDX_FILES)} (each plain or .gz)",
        *(f"  tried {failure}" for failure in failures),
    ]
    return ImgclfError("\n".join(lines), hint=f"Put the four files into {folder}. {dataset.obtain}")


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
