"""An experiment's data on this machine: what train, evaluate and the commands on data load it by."""

from __future__ import annotations

from pathlib import Path

from imgclf.datasets.base import DataPlaces, Splits
from imgclf.experiment.schema import Experiment
from imgclf.places import data_folder
from imgclf.screen import Screen


def load_splits(experiment: Experiment, data_dir: str | Path | None, screen: Screen) -> Splits:
    """The splits of the experiment's data set, from the data folder that ``data_dir`` or the environment names.

    Raises ImgclfError where files are missing or are not what they should be.
    """
    places = DataPlaces(data_folder(data_dir), screen.progress)
    return experiment.dataset.load(places, experiment.seed)
