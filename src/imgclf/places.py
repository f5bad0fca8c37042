"""Where data and runs lie on this machine: what was asked for, else the environment, else the working directory."""

from __future__ import annotations

import os
from pathlib import Path

DATA_VARIABLE, RUNS_VARIABLE = "IMGCLF_DATA_DIR", "IMGCLF_RUNS_DIR"


def data_folder(asked: str | Path | None) -> Path:
    """The folder of the data sets: ``asked``, else IMGCLF_DATA_DIR, else ``data``."""
    return Path(asked or os.environ.get(DATA_VARIABLE) or "data").expanduser()


def runs_folder(asked: str | Path | None) -> Path:
    """The folder of the runs: ``asked``, else IMGCLF_RUNS_DIR, else ``runs``."""
    return Path(asked or os.environ.get(RUNS_VARIABLE) or "runs").expanduser()
