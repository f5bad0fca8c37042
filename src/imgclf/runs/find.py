"""Finding runs: by path, by name, or the latest."""

from __future__ import annotations

import difflib
from datetime import datetime
from pathlib import Path
from typing import Any

from imgclf.errors import ImgclfError
from imgclf.runs.folder import RunFolder, folders_in, has_file, read_json
from imgclf.runs.groups import find_group, list_groups
from imgclf.runs.process import status_of
from imgclf.texts import command_text


def list_runs(runs_dir: Path) -> list[RunFolder]:
    """The run folders under ``runs_dir``, oldest start first; a folder without a readable run.json is none."""
    records = {path: _record(path) for path in folders_in(runs_dir)}
    started = {path: seconds_since_1970(record.get("started")) for path, record in records.items() if record}
    return [RunFolder(path) for path in sorted(started, key=lambda path: (started[path], path.name))]


def find_run(wanted: str, runs_dir: Path) -> RunFolder:
    """The run that ``wanted`` names: a path, a name under ``runs_dir``, or ``latest``, the newest finished one.

    Raises ImgclfError with the nearest names where there is none, or where it names a group of runs.
    """
    if wanted == "latest":
        return _latest(runs_dir)
    for path in (Path(wanted), runs_dir / wanted):
        if has_file(path / "run.json"):
            return RunFolder(path)
    if group := find_group(wanted, runs_dir):
        members = [str(run.path) for run in group.members()]
        hint = f"name one of them: {', '.join(members[:3])}" if members else None
        raise ImgclfError(f"{group.path}: must be one run; it is a folder of {len(members)} runs", hint=hint)
    names = [run.name for run in reversed(list_runs(runs_dir))]
    near = [name for name in names if wanted in name][:3] or difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`imgclf runs list` shows the runs that there are"
    raise ImgclfError(f"{wanted}: no run of this path or name (looked in {runs_dir})", hint=hint)


def find_unfinished(wanted: str, runs_dir: Path) -> RunFolder:
    """The run that ``wanted`` names as for :func:`find_run`; ``latest`` is the newest that is not finished or at work.

    Raises ImgclfError.
    """
    if wanted != "latest":
        return find_run(wanted, runs_dir)
    unfinished = [run for run in list_runs(runs_dir) if status_of(run.record()) not in ("finished", "running")]
    if not unfinished:
        raise ImgclfError(f"{runs_dir}: no unfinished run", hint="name a run, to make it longer")
    return unfinished[-1]


def run_of_weights(weights: Path) -> RunFolder | None:
    """The run whose folder holds a weights file, or None where it lies elsewhere."""
    folder = weights.resolve().parent.parent
    return RunFolder(folder) if has_file(folder / "run.json") else None


def _record(folder: Path) -> dict[str, Any]:
    """The content of a folder's run.json; empty where there is none that can be read."""
    if not has_file(folder / "run.json"):
        return {}
    try:
        return read_json(folder / "run.json")
    except ImgclfError:
        return {}


def _state(run: RunFolder) -> str:
    status = status_of(run.record())
    return status if status == "running" else f"{status}; {command_text('train', '--resume', run.path)} goes on"


def _latest(runs_dir: Path) -> RunFolder:
    runs = list_runs(runs_dir)
    finished = [run for run in runs if run.record().get("status") == "finished"]
    if not finished and runs:
        raise ImgclfError(f"{runs_dir}: no finished run", hint=f"the newest is {runs[-1].path}: {_state(runs[-1])}")
    if not finished:
        groups = [group.name for group in list_groups(runs_dir)]
        hint = f"runs of {groups[-1]} are named by their paths" if groups else "train one: imgclf train lenet_digits"
        raise ImgclfError(f"{runs_dir}: no finished run", hint=hint)
    return finished[-1]


def seconds_since_1970(started: Any) -> float:
    """Seconds since 1970 of a time as run.json keeps it, with its offset from UTC; 0 where there is none."""
    try:
        return datetime.fromisoformat(str(started)).timestamp()
    except ValueError:
        return 0.0  # a record by another hand; its run is listed first
