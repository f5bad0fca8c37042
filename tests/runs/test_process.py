from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imgclf.errors import ImgclfError
from imgclf.runs.find import find_unfinished
from imgclf.runs.folder import RunFolder
from imgclf.runs.process import is_alive, sole_trainer, status_of, this_process

HOLD = """
import sys
from pathlib import Path
from imgclf.runs.folder import RunFolder
from imgclf.runs.process import sole_trainer, this_process
run = RunFolder(Path(sys.argv[1]))
run.update(status="running", process=this_process())
with sole_trainer(run):
    print("held", flush=True)
    sys.stdin.read()
"""


def holding(run: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, str(run)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_this_process_is_alive_and_one_of_its_number_but_another_start_is_not() -> None:
    assert is_alive(this_process())
    assert not is_alive(this_process() | {"started": "at another time"})


def test_a_process_of_another_machine_is_taken_to_live() -> None:
    assert is_alive({"host": "elsewhere", "pid": 1, "started": "?"})


def test_a_second_trainer_is_refused_by_the_number_of_the_first_and_a_killed_ones_run_is_free(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    with holding(run.path) as first:
        with pytest.raises(ImgclfError, match=f"trained by process {first.pid}"), sole_trainer(run):
            pass
        assert status_of(run.record()) == "running"
        with pytest.raises(ImgclfError, match="no unfinished run"):
            find_unfinished("latest", tmp_path)
        first.kill()
        first.wait()
    assert status_of(run.record()) == "died"
    assert find_unfinished("latest", tmp_path).path == run.path
    with sole_trainer(run):
        pass


def test_who_holds_a_run_and_does_not_go_on_leaves_its_record_as_it_was(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.update(status="running", process=this_process() | {"started": "at another time"})
    before = run.record_file.read_bytes()
    with pytest.raises(ImgclfError, match="changed"), sole_trainer(run):  # noqa: PT012
        assert status_of(run.record()) == "died"
        raise ImgclfError("the experiment was changed")
    assert run.record_file.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} <= {"run.json", "train.lock"}


def test_a_process_that_nobody_has_waited_for_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        record = this_process() | {"pid": child.pid}
        assert not is_alive(record)  # another start
        child.kill()
        time.sleep(0.2)
        assert not is_alive(record)
    assert os.getpid() == this_process()["pid"]


@pytest.mark.parametrize("status", ["finished", "failed", "interrupted"])
def test_other_statuses_are_as_recorded(status: str) -> None:
    assert status_of({"status": status, "process": {"host": "here", "pid": 1}}) == status
