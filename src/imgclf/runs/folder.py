"""The layout of a run folder, and its record run.json."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from imgclf.errors import ImgclfError, printable
from imgclf.runs.files import append, flush, write_json, write_whole
from imgclf.texts import csv_text

Status = Literal["running", "finished", "interrupted", "failed"]
GroupKind = Literal["seeds", "models"]
GROUP_RECORDS: dict[GroupKind, str] = {"seeds": "summary.json", "models": "compare.json"}  # what a group is known by
MOST_JSON_BYTES = 2**26
COLUMNS = ("epoch", "step", "stage", "learning_rate", "loss", "accuracy", "validation_loss", "validation_accuracy")


@dataclass(frozen=True)
class RunFolder:
    """One run's folder. Nothing but it is read by the commands that come after training."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def experiment(self) -> Path:
        return self.path / "experiment.yaml"

    @property
    def record_file(self) -> Path:
        return self.path / "run.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def best_weights(self) -> Path:
        return self.path / "weights" / "best.weights.h5"

    @property
    def last_weights(self) -> Path:
        return self.path / "weights" / "last.weights.h5"

    @property
    def preprocessing(self) -> Path:
        """What was fitted on the training images; only where something was."""
        return self.path / "preprocessing.npz"

    @property
    def report(self) -> Path:
        return self.path / "report.json"

    @property
    def calibration(self) -> Path:
        """The temperatures that were fitted for some of the weights; only where any were."""
        return self.path / "calibration.json"

    @property
    def plots(self) -> Path:
        return self.path / "plots"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @property
    def quarantine(self) -> Path:
        return self.path / "quarantine.csv"

    @property
    def checkpoints(self) -> Path:
        """What a run that was cut off goes on from; empty for heads that are fitted at once."""
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    def record(self) -> dict[str, Any]:
        """The content of run.json. Raises ImgclfError where it is missing or no JSON object."""
        return read_json(self.record_file)

    def update(self, **changes: Any) -> None:
        """Write run.json anew with some entries changed."""
        before = self.record() if self.record_file.exists() else {}
        write_json(self.record_file, before | changes)

    def write_log(self, line: str) -> None:
        """Add a line to log.txt."""
        append(self.log, printable(line) + "\n")

    def write_metrics(self, history: list[dict[str, Any]]) -> None:
        """Write metrics.csv: a row a measurement; empty where there was nothing to measure."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        write_whole(self.metrics, text.getvalue())

    def write_quarantine(self, files: Iterable[tuple[str, str]]) -> None:
        """Write quarantine.csv: a row a file that is left out, and why."""
        write_whole(self.quarantine, csv_text(["file", "reason"], files))

    def read_metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics.csv; empty cells are None. Raises ImgclfError where a cell is no number."""
        if not self.metrics.exists():
            return []
        with self.metrics.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        try:
            return [{name: float(cell) if cell else None for name, cell in row.items()} for row in rows]
        except (TypeError, ValueError) as error:
            raise ImgclfError(f"{self.metrics}: expected numbers: {error}") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises ImgclfError."""
    try:
        if path.stat().st_size > MOST_JSON_BYTES:
            raise ImgclfError(f"{path}: has more than {MOST_JSON_BYTES:,} bytes, which no file of a run has")
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ImgclfError(
            f"{path}: no such file", hint="a run folder holds run.json, experiment.yaml and weights/"
        ) from error
    except (ValueError, OSError, RecursionError) as error:
        raise ImgclfError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(value, dict):
        raise ImgclfError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def create_run_folder(runs_dir: Path, name: str, now: datetime) -> RunFolder:
    """A new folder ``name-YYYYMMDD-HHMMSS`` under ``runs_dir``; a number is added where one exists.

    Where ``runs_dir`` is a group of runs, which has the time in its own name, it is ``name`` alone. Raises ImgclfError
    where it can't be made, or where the name would lead out of ``runs_dir``.
    """
    return RunFolder(new_folder(runs_dir, name, "" if group_kind(runs_dir) else f"-{now:%Y%m%d-%H%M%S}"))


def folders_in(runs_dir: Path) -> list[Path]:
    """What lies in a runs folder, by name; nothing where it is not there. Raises ImgclfError where it can't be read."""
    try:
        return sorted(runs_dir.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ImgclfError(f"{runs_dir}: cannot be read: {error.strerror or error}") from error


def has_file(path: Path) -> bool:
    """Whether a file is there, as far as one may know: not in a folder that one may not look into."""
    try:
        return path.is_file()
    except OSError:
        return False


def group_kind(folder: Path) -> GroupKind | None:
    """Which kind of group of runs the folder is, by its record; None: none. Others call files summary.json too.

    Raises ImgclfError where its record can't be read.
    """
    records = ((kind, folder / record) for kind, record in GROUP_RECORDS.items() if has_file(folder / record))
    return next((kind for kind, record in records if read_json(record).get("kind") == kind), None)


def new_folder(runs_dir: Path, name: str, ending: str) -> Path:
    """A new folder ``name`` + ``ending`` under ``runs_dir``; a number is added where one exists.

    Raises ImgclfError where it can't be made, or where the name would lead out of ``runs_dir``.
    """
    if "/" in name or "\0" in name:
        raise ImgclfError(f'name of the run: must be the name of a folder, without "/"; got "{name}"')
    stem = name + ending
    for number in range(1, 1000):
        path = runs_dir / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir(parents=True)
            flush(path.parent)
        except FileExistsError:
            if runs_dir.is_dir():
                continue
            raise ImgclfError(f"{runs_dir}: the runs folder must be a folder; it is a file") from None
        except OSError as error:
            raise ImgclfError(
                f"{path}: the run folder can't be made: {error.strerror}", hint="choose another with --runs-dir"
            ) from error
        return path
    raise ImgclfError(f"{runs_dir}: holds a thousand runs of the name {stem}")
