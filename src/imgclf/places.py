"""Where data, runs and decoded images lie on this machine: what was asked for, else the environment, else a default."""

from __future__ import annotations

import os
from pathlib import Path

from imgclf.texts import from_home

DATA_VARIABLE, RUNS_VARIABLE, CACHE_VARIABLE = "IMGCLF_DATA_DIR", "IMGCLF_RUNS_DIR", "IMGCLF_CACHE_DIR"


def data_folder(asked: str | Path | None) -> Path:
    """The folder of the data sets: ``asked``, else IMGCLF_DATA_DIR, else ``data``."""
    return from_home(asked or os.environ.get(DATA_VARIABLE) or "data")


def runs_folder(asked: str | Path | None) -> Path:
    """The folder of the runs: ``asked``, else IMGCLF_RUNS_DIR, else ``runs``."""
    return from_home(asked or os.environ.get(RUNS_VARIABLE) or "runs")


def cache_folder() -> Path:
    """The folder of decoded images: IMGCLF_CACHE_DIR, else the system's place for caches of this user."""
    from platformdirs import user_cache_path

    named = os.environ.get(CACHE_VARIABLE)
    return from_home(named) if named else user_cache_path("imgclf")


def features_folder() -> Path:
    """The folder of stored features, one file each."""
    return cache_folder() / "features"
