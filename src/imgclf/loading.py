"""An experiment's data on this machine: what train, evaluate and the commands on data load it by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from imgclf.datasets.base import DataPlaces, Splits
from imgclf.experiment.schema import Experiment
from imgclf.images.fit import ImageFit
from imgclf.places import cache_folder, data_folder
from imgclf.preprocessing import PreprocessingSettings
from imgclf.screen import Screen

LISTED_BY_CHECK = "`imgclf data check` lists them"


def load_splits(experiment: Experiment, data_dir: str | Path | None, screen: Screen) -> Splits:
    """The splits of the experiment's data set, from the data folder that ``data_dir`` or the environment names.

    Raises ImgclfError where files are missing or are not what they should be.
    """
    places = DataPlaces(data_folder(data_dir), screen.progress, image_fit(experiment.preprocessing), cache_folder())
    return experiment.dataset.load(places, experiment.seed)


def say_found(splits: Splits, say: Callable[[str], None], listed: str) -> None:
    """Say where the data was found and what is left out of it; ``listed`` says where unreadable files are named."""
    for note in splits.notes:
        say(f"data    {note}")
    if splits.quarantine:
        count = len(splits.quarantine)
        say(f"        {count:,} unreadable {'file is' if count == 1 else 'files are'} left out: {listed}")


def image_fit(preprocessing: PreprocessingSettings) -> ImageFit:
    """What the section ``preprocessing`` says of the images' size, channels and background."""
    size = (preprocessing.size, preprocessing.size) if isinstance(preprocessing.size, int) else preprocessing.size
    return ImageFit(
        size, preprocessing.channels, preprocessing.resize, preprocessing.interpolation, preprocessing.background
    )
