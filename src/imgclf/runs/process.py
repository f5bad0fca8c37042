"""The process that trains a run: who it is, whether it still lives, and that there is one at most."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from imgclf.errors import ImgclfError
from imgclf.runs.files import not_written, write_json
from imgclf.runs.folder import RunFolder, read_json

DIED = "died"  # for the user: the record says running, and the process is gone


def this_process() -> dict[str, Any]:
    """What tells this process from any other: machine, number, and the moment of its start as the system counts it."""
    return {"host": platform.node(), "pid": os.getpid(), "started": _start_of(os.getpid())}


def is_alive(process: dict[str, Any]) -> bool:
    """Whether the process of a record lives; one of another machine is taken to live."""
    if process.get("host") != platform.node():
        return True
    started = _start_of(int(process["pid"]))
    return started is not None and started == process.get("started")


def status_of(record: dict[str, Any]) -> str:
    """The status of a run by its run.json; ``died`` where it says running and its process is gone."""
    status = str(record.get("status", "unknown"))
    process = record.get("process")
    return DIED if status == "running" and process and not is_alive(process) else status


@contextmanager
def sole_trainer(run: RunFolder) -> Iterator[None]:
    """Hold the right to train this run, whose record is left as it is: the holder may yet find that it can't go on.

    Raises ImgclfError, naming the process that has it, and WorkFailed where the folder can't be written to.
    """
    from filelock import FileLock, Timeout

    lock, holder = FileLock(run.path / "train.lock"), run.path / "train.lock.json"
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        process = _holder(holder)
        raise ImgclfError(
            f"{run.path}: is being trained by process {process.get('pid', 'unknown')} on {process.get('host', '?')}",
            hint="wait for it, or end it first: kill -INT has it write a checkpoint",
        ) from error
    except OSError as error:
        raise not_written(run.path / "train.lock", error) from error
    try:
        write_json(holder, this_process())
        yield
    finally:
        with suppress(OSError):  # of a process that is gone it does no harm
            holder.unlink(missing_ok=True)
        lock.release()


def _holder(file: Path) -> dict[str, Any]:
    """The process that has written itself into the file; empty where it has not got so far."""
    try:
        return read_json(file)
    except ImgclfError:
        return {}


def _start_of(pid: int) -> str | None:
    """When a process of this machine started, in the system's own words; None where there is no such process."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        if Path("/proc/self/stat").exists():
            # The name, in brackets, may hold blanks; the start is the 22nd entry, in ticks since the system's start.
            state, *entries = stat.read_text().rpartition(")")[2].split()
            return None if state == "Z" else f"{_boot()} {entries[18]}"
        found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return found.stdout.strip() or None


def _boot() -> str:
    """What tells one start of the system from another."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""
