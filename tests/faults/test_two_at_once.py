"""Two trainings that meet."""

from __future__ import annotations

import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from imgclf.errors import ImgclfError
from imgclf.runs.folder import RunFolder, create_run_folder
from imgclf.runs.process import sole_trainer

RESUME = """
import sys
from pathlib import Path
from imgclf.runs.folder import RunFolder
from imgclf.runs.process import sole_trainer
with sole_trainer(RunFolder(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_runs_that_start_in_one_second_under_one_name_have_folders_of_their_own(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 24, 12, 0, 0)
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: create_run_folder(tmp_path, "run", moment).path, range(32)))
    assert len(set(made)) == 32
    assert {path.name for path in made} >= {"run-20261124-120000", "run-20261124-120000-2"}


def test_who_goes_on_with_a_dead_ones_run_is_named_at_once_and_not_the_dead_one(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.update(status="running", process={"host": platform.node(), "pid": 1, "started": "before"})
    command = [sys.executable, "-c", RESUME, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        told = f"is being trained by process {first.pid} on {platform.node()}"
        with pytest.raises(ImgclfError, match=told), sole_trainer(run):
            pass
        first.kill()
    with sole_trainer(run):
        pass
