"""The job `data show`: what is in an experiment's data, in numbers and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgclf.augmentation.base import AugmentationSettings, augmented_images
from imgclf.datasets.base import Split, Splits, Target
from imgclf.datasets.pixels.census import class_counts, held_bytes, pixel_statistics
from imgclf.datasets.pixels.pieces import image_bytes, spread
from imgclf.datasets.pixels.rounded import rounded
from imgclf.datasets.pixels.shaped import shaped
from imgclf.errors import ImgclfError
from imgclf.experiment.load import LoadedExperiment, load_experiment
from imgclf.experiment.schema import Experiment
from imgclf.loading import image_fit, load_splits, say_undrawable
from imgclf.runs.files import write_whole
from imgclf.runs.target_files import target_parts
from imgclf.screen import Screen, Silent
from imgclf.texts import from_home
from imgclf.training.task import stage_steps

SAMPLES, MOST_SAMPLES = 36, 100  # images in the grid: so many, or one of each class up to the second number
AUGMENTED_IMAGES = 24
MODEL_BYTES = 4  # of a number that the network sees


def show_data(
    config: str | Path,
    *,
    overrides: Sequence[str] = (),
    data_dir: str | Path | None = None,
    save: str | Path | None = None,
    augmented: bool = False,
    epoch: int = 1,
    screen: Screen | None = None,
) -> dict[str, Any]:
    """What is in the data of CONFIG, as plain data: shapes, counts, pixel statistics, bytes, and the pictures' paths.

    The pictures go to the folder ``save`` (default: data-NAME in the working directory). With ``augmented`` there is
    one of training images above what training makes of them in ``epoch``. The pixels are read in pieces. Raises
    ImgclfError where config or data are missing or wrong, or ``augmented`` finds no augmentation.
    """
    screen = screen or Silent()
    loaded = load_experiment(str(config), overrides)
    if augmented:
        check_augmentation(loaded)
    tolerant = loaded.experiment.model_copy(update={"dataset": loaded.experiment.dataset.tolerant()})
    data = load_splits(tolerant, data_dir, screen)
    if len(data.train) == 0:
        raise ImgclfError(f"{loaded.path}: the training split has no images")
    augmentations = _augmentations_in(loaded.experiment, len(data.train), epoch)
    if augmented and not augmentations:
        raise ImgclfError(f"--epoch {epoch}: the list `augmentation` of the stage of epoch {epoch} is empty")
    splits = splits_by_name(data)
    counts = {name: class_counts(split, data.targets) for name, split in splits.items()}
    found = _described(loaded, data, splits, counts, screen)
    folder = pictures_folder(save, loaded.name)
    say_undrawable(data.targets, screen.say)
    pictures = _pictures(data, counts)
    if augmented:
        pictures["augmented.png"] = lambda: _augmented(loaded.experiment, augmentations, data, epoch)
    for name, draw in pictures.items():
        write_whole(folder / name, draw())
    return found | {"pictures": [str(folder / name) for name in pictures]}


def check_augmentation(loaded: LoadedExperiment) -> None:
    """Raises ImgclfError where no stage of the experiment has an augmentation."""
    experiment = loaded.experiment
    if not any(stage.augmentations(experiment.augmentation) for stage in experiment.training.resolved_stages()):
        raise ImgclfError(
            f"{loaded.path}: has no augmentation to show", hint="the experiment's list `augmentation` is empty"
        )


def splits_by_name(data: Splits) -> dict[str, Split]:
    """The splits that there are; the test split is read here."""
    validation = {} if data.validation is None else {"validation": data.validation}
    return {"train": data.train, **validation, "test": data.load_test()}


def pictures_folder(save: str | Path | None, name: str) -> Path:
    """Where pictures of the data go: ``save``, else data-NAME in the working directory."""
    return from_home(save) if save else Path(f"data-{name}")


def _described(
    loaded: LoadedExperiment,
    data: Splits,
    splits: dict[str, Split],
    counts: dict[str, list[NDArray[np.int64]]],
    screen: Screen,
) -> dict[str, Any]:
    pixels = data.train.pixels
    statistics = pixel_statistics(
        pixels, lambda done, total: screen.progress("reading the training images", done, total)
    )
    return {
        "name": loaded.name,
        "dataset": loaded.experiment.dataset.name,
        "notes": list(data.notes),
        "unreadable": len(data.unreadable()),
        "unlabelled": len(data.unlabelled()),
        "image_shape": list(pixels.image_shape),
        "dtype": str(pixels.dtype),
        "splits": {
            name: {"images": len(split), "bytes": len(split) * image_bytes(split.pixels)}
            for name, split in splits.items()
        },
        "targets": [_target(target, column, counts) for column, target in enumerate(data.targets)],
        "pixels": {"mean": statistics.mean.tolist(), "deviation": statistics.deviation.tolist()},
        "training": _needed(loaded.experiment, splits),
    }


def _target(target: Target, column: int, counts: dict[str, list[NDArray[np.int64]]]) -> dict[str, Any]:
    of_splits = {split: of_targets[column].tolist() for split, of_targets in counts.items()}
    classes = [
        {"class_name": name, **{split: of_classes[label] for split, of_classes in of_splits.items()}}
        for label, name in enumerate(target.class_names)
    ]
    return {"name": target.name, "classes": classes}


def _needed(experiment: Experiment, splits: dict[str, Split]) -> dict[str, Any]:
    """What training needs for images: bytes of a batch, and of the pixels that it keeps for as long as it runs."""
    shape = experiment.preprocessing.output_shape(splits["train"].pixels.image_shape)
    held = held_bytes([split.pixels for split in splits.values()])
    batch = max(stage.batch_size for stage in experiment.training.resolved_stages())
    return {
        "image_shape": list(shape),
        "batch_size": batch,
        "batch_bytes": batch * prod(shape) * splits["train"].pixels.dtype.itemsize,
        "batch_bytes_in_the_model": batch * prod(shape) * MODEL_BYTES,
        "bytes_in_memory": held.in_memory,
        "bytes_mapped": held.mapped,
    }


def _pictures(data: Splits, counts: dict[str, list[NDArray[np.int64]]]) -> dict[str, Callable[[], bytes]]:
    """The pictures of every data set, by file name, each drawn when it is called for."""
    from imgclf.reporting.class_counts import draw_class_counts

    def bars(column: int, target: Target) -> Callable[[], bytes]:
        of_target = {split: of_targets[column] for split, of_targets in counts.items()}
        heading = "Images of each class" + (f" of {target.name}" if len(data.targets) > 1 else "")
        return lambda: draw_class_counts(target.class_names, of_target, heading)

    parts = target_parts([target.name for target in data.targets])
    drawn = {f"classes{parts[target.name]}.png": bars(column, target) for column, target in enumerate(data.targets)}
    return {**drawn, "samples.png": lambda: _samples(data)}


def _samples(data: Splits) -> bytes:
    from imgclf.reporting.grids import draw_grid

    chosen = _some_of_each_class(data.train.labels)
    titles = [(_class_text(data, index), None) for index in chosen]
    images = rounded(data.train.pixels).take(chosen)
    return draw_grid(images, titles, "Training images", columns=6 if len(chosen) <= SAMPLES else 10)


def _some_of_each_class(labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """Positions of images to show, in order of their classes; of more classes than fit, evenly spread ones.

    ``labels``: (images, targets); with several targets, each combination that occurs counts as a class.
    """
    present, of_images = np.unique(labels, axis=0, return_inverse=True)
    shown = spread(len(present), MOST_SAMPLES)
    each = max(1, SAMPLES // len(shown))
    places = [np.flatnonzero(of_images.reshape(-1) == number) for number in shown]
    return np.concatenate([positions[spread(len(positions), each)] for positions in places])


def _augmented(
    experiment: Experiment, augmentations: tuple[AugmentationSettings, ...], data: Splits, epoch: int
) -> bytes:
    from imgclf.reporting.grids import draw_pairs

    pixels = rounded(shaped(data.train.pixels, image_fit(experiment.preprocessing)))
    indices = spread(len(pixels), AUGMENTED_IMAGES)
    images = pixels.take(indices)
    changed = augmented_images(augmentations, images, indices, experiment.seed, epoch - 1)
    titles = [((_class_text(data, index), None), ("augmented", None)) for index in indices]
    return draw_pairs(images, changed, titles, f"Training images and what epoch {epoch} makes of them")


def _augmentations_in(experiment: Experiment, images: int, epoch: int) -> tuple[AugmentationSettings, ...]:
    """The list of the stage that an epoch, counted from 1, lies in; after the last stage's end, its list."""
    stages, ended = experiment.training.resolved_stages(), 0
    for stage in stages:
        ended += -(-stage_steps(stage, images) // max(1, images // stage.batch_size))
        if epoch <= ended:
            return stage.augmentations(experiment.augmentation)
    return stages[-1].augmentations(experiment.augmentation)


def _class_text(data: Splits, index: int) -> str:
    labels = data.train.labels[index]
    return ", ".join(target.class_names[label] for target, label in zip(data.targets, labels, strict=True))
