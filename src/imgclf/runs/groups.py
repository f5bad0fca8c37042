"""Runs that belong together, in a folder of their own: the seeds of one experiment, or several models on one data set.

The folder lies where runs do, and its record, a JSON file, is what it is known by. Its runs are found by their paths
alone: `latest` is never one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from imgclf.errors import ImgclfError
from imgclf.runs.files import write_json
from imgclf.runs.folder import GROUP_RECORDS, GroupKind, RunFolder, folders_in, group_kind, new_folder, read_json
from imgclf.runs.process import status_of, this_process


@dataclass(frozen=True)
class Group:
    """The folder of a group of runs."""

    path: Path
    kind: GroupKind

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def record_file(self) -> Path:
        return self.path / GROUP_RECORDS[self.kind]

    def record(self) -> dict[str, Any]:
        """The content of summary.json or compare.json. Raises ImgclfError where it is no JSON object."""
        return read_json(self.record_file)

    def status(self) -> str:
        """How it stands; ``died`` where its record says running and its process is gone."""
        return status_of(self.record())

    def update(self, **changes: Any) -> None:
        """Write the record anew with some entries changed."""
        before = self.record() if self.record_file.exists() else {}
        write_json(self.record_file, before | changes)

    def member(self, name: str) -> RunFolder:
        """The run of that name, whether it is there or not."""
        return RunFolder(self.path / name)

    def is_empty(self) -> bool:
        """Whether no run has been begun."""
        return not any(path.is_dir() for path in self.path.iterdir())

    def members(self) -> list[RunFolder]:
        """The runs that are there, by name."""
        return [RunFolder(path.parent) for path in sorted(self.path.glob("*/run.json"))]


def create_group(runs_dir: Path, name: str, kind: GroupKind, now: datetime) -> Group:
    """A new folder ``name-YYYYMMDD-HHMMSS-seeds`` (or ``-models``) under ``runs_dir``, with its record begun.

    Raises ImgclfError where it can't be made, or where the name would lead out of ``runs_dir``.
    """
    group = Group(new_folder(runs_dir, name, f"-{now:%Y%m%d-%H%M%S}-{kind}"), kind)
    group.update(kind=kind, status="running", started=_clock(now), ended=None, process=this_process())
    return group


@contextmanager
def recorded(group: Group) -> Iterator[None]:
    """Keep the record's status true however the block ends; a group whose input was wrong before any run is taken away.

    At the end the status is ``finished`` where the block has set no other.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(error, ImgclfError) and error.exit_status == ImgclfError.exit_status and group.is_empty():
            group.record_file.unlink()
            group.path.rmdir()
        else:
            group.update(status="failed" if isinstance(error, Exception) else "interrupted", ended=_clock())
        raise
    status = group.record()["status"]
    group.update(status="finished" if status == "running" else status, ended=_clock())


def group_at(path: Path) -> Group | None:
    """The group whose folder this is, or None. Raises ImgclfError where its record can't be read."""
    kind = group_kind(path)
    return Group(path, kind) if kind else None


def list_groups(runs_dir: Path) -> list[Group]:
    """The groups under ``runs_dir``, by name; a folder whose record can't be read is none."""
    found = []
    for path in folders_in(runs_dir):
        with suppress(ImgclfError):
            found.append(group_at(path))
    return [group for group in found if group is not None]


def find_group(wanted: str, runs_dir: Path) -> Group | None:
    """The group that ``wanted`` names, a path or a name under ``runs_dir``; None where there is none."""
    found = (group_at(path) for path in (Path(wanted), runs_dir / wanted))
    return next((group for group in found if group is not None), None)


def _clock(now: datetime | None = None) -> str:
    return (now or datetime.now()).astimezone().isoformat(timespec="seconds")
