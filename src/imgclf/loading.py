"""An experiment's data on this machine: what train, evaluate and the commands on data load it by."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from imgclf.datasets.base import DataPlaces, Splits, Target
from imgclf.experiment.schema import Experiment
from imgclf.images.fit import ImageFit
from imgclf.places import cache_folder, data_folder
from imgclf.preprocessing import PreprocessingSettings
from imgclf.screen import Screen
from imgclf.texts import few


def load_splits(experiment: Experiment, data_dir: str | Path | None, screen: Screen) -> Splits:
    """The splits of the experiment's data set, from the data folder that ``data_dir`` or the environment names.

    Raises ImgclfError where files are missing or are not what they should be.
    """
    places = DataPlaces(data_folder(data_dir), screen.progress, image_fit(experiment.preprocessing), cache_folder())
    return experiment.dataset.load(places, experiment.seed)


def loading_once(experiment: Experiment, data_dir: str | Path | None, screen: Screen) -> Callable[[], Splits]:
    """A function that loads the splits when it is first called, and gives the same ones from then on."""
    return functools.cache(lambda: load_splits(experiment, data_dir, screen))


def say_left_out(splits: Splits, screen: Screen) -> None:
    """Tell the user of files that could not be read, and of images without a label."""
    for what, first in splits.left_out():
        screen.say(f"data    {what} left out, the first: {first.file}: {first.reason}")


def say_undrawable(targets: Sequence[Target], say: Callable[[str], None]) -> None:
    """Tell the user of characters in the targets' names and classes that pictures cannot show."""
    from imgclf.reporting.style import missing_characters

    texts = [text for target in targets for text in (target.name, *target.class_names)]
    if missing := missing_characters(texts):
        say(f"pictures show boxes for {few(missing, 12, ' ')}: no font here has them; the Noto fonts have most")


def image_fit(preprocessing: PreprocessingSettings) -> ImageFit:
    """What the section ``preprocessing`` says of the images' size, channels and background."""
    size = (preprocessing.size, preprocessing.size) if isinstance(preprocessing.size, int) else preprocessing.size
    return ImageFit(
        size, preprocessing.channels, preprocessing.resize, preprocessing.interpolation, preprocessing.background
    )
