"""A file system that is really full."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from works import VALUES, judge_newest, newest, tree_of, with_steps, write

import imgclf
from imgclf.errors import WorkFailed
from imgclf.verify_resume import compare_runs

PAGE = os.sysconf("SC_PAGE_SIZE")
SETTINGS = ["model.filters=[4,8]", "training.epochs=3", "training.checkpoint_every_steps=15"]
SETTINGS += ["training.tensorboard.graph=false"]


def test_with_any_number_of_free_pages_a_checkpoint_is_written_or_refused_and_nothing_is_lost(small_disk: Any) -> None:
    with_steps(1, 2)(small_disk.path)
    before = tree_of(small_disk.path)
    free = os.statvfs(small_disk.path)
    used = (free.f_blocks - free.f_bfree) * free.f_frsize
    refused = 0
    for pages in range(200):
        small_disk.change(f"size={used + pages * PAGE}")
        told = refusal(small_disk.path)
        if told is None:
            break
        refused += 1
        assert "step-00000003: can't be written: No space left on device" in told
        assert tree_of(small_disk.path) == before
        judge_newest((2, VALUES[2]))(small_disk.path)
    assert refused >= 5  # arrays.bin alone has 16 kB
    found = newest(small_disk.path)
    assert found is not None
    assert found.step == 3


def refusal(folder: Path) -> str | None:
    try:
        write(folder, 3, VALUES[3])
    except WorkFailed as error:
        return str(error)
    return None


def train(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "imgclf", "train", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# Slow: four real runs.
@pytest.mark.slow
@pytest.mark.parametrize(
    "size", ["600k", *(pytest.param(size, marks=pytest.mark.exhaustive) for size in ("300k", "800k"))]
)
def test_a_run_on_a_full_disk_says_so_and_goes_on_when_there_is_room(
    small_disk: Any, size: str, tmp_path: Path
) -> None:
    small_disk.change(f"size={size}")
    sets = [text for setting in SETTINGS for text in ("--set", setting)]
    ended = train("lenet_digits", *sets, "--runs-dir", small_disk.path)
    assert ended.returncode == 1, ended.stderr
    (error,) = (line for line in ended.stderr.splitlines() if line.startswith("error: "))
    assert "can't be written: No space left on device" in error
    assert "hint: is the disk full" in ended.stderr
    run = next(path for path in small_disk.path.iterdir())
    assert json.loads((run / "run.json").read_text())["status"] == "failed"
    assert not list(run.rglob(".*"))
    small_disk.change("size=64m")
    resumed = train("--resume", "latest", "--runs-dir", small_disk.path)
    assert resumed.returncode == 0, resumed.stderr
    assert "resumes after step" in (run / "log.txt").read_text()
    peaceful = imgclf.train("lenet_digits", overrides=SETTINGS, runs_dir=tmp_path / "peace").run
    copied = shutil.copytree(run, tmp_path / "copied")
    differing = [one for one in compare_runs(peaceful, type(peaceful)(Path(copied))) if one.difference]
    assert differing == []
