"""A clock that jumps: what is newest is told by the step, and no time is negative."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from works import VALUES, newest, with_steps

from imgclf.runs.find import find_unfinished
from imgclf.runs.folder import RunFolder

YEAR = timedelta(days=365)


def test_the_newest_checkpoint_is_that_of_the_highest_step_whatever_the_files_times(place: Path) -> None:
    with_steps(1, 2)(place)
    for step, time in ((1, 4e9), (2, 1.0)):
        folder = place / "checkpoints" / f"step-{step:08d}"
        for path in (*folder.iterdir(), folder):
            os.utime(path, (time, time))
    found = newest(place)
    assert found is not None
    assert (found.step, found.states["run"]["best"]) == (2, VALUES[2])


def test_runs_of_a_clock_that_went_back_a_year_are_listed_and_found_without_negative_times(
    imgclf: Any, tmp_path: Path
) -> None:
    start = datetime(2026, 11, 24, 12).astimezone()
    for name, began in (("later", start), ("earlier", start - YEAR)):
        (tmp_path / name).mkdir()
        ended = (began - YEAR).isoformat()
        RunFolder(tmp_path / name).update(status="interrupted", started=began.isoformat(), ended=ended, seconds=5.0)
    group = {"kind": "seeds", "status": "finished", "started": start.isoformat(), "ended": (start - YEAR).isoformat()}
    (tmp_path / "group").mkdir()
    (tmp_path / "group" / "summary.json").write_text(json.dumps(group))
    assert find_unfinished("latest", tmp_path).name == "later"
    answer = imgclf("runs", "list", "--json", "--runs-dir", tmp_path)
    assert answer.status == 0
    told = json.loads(answer.out)
    assert [run["name"] for run in told] == ["earlier", "later", "group"]
    assert all(run["seconds"] is None or run["seconds"] >= 0 for run in told)


# Slow: a real run.
@pytest.mark.slow
def test_a_run_whose_clock_jumps_back_and_forth_measures_no_negative_seconds(
    imgclf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    real, jumps = time.time, iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: real() + (-1) ** next(jumps) * YEAR.total_seconds())
    settings = ("--set", "model.filters=[2]", "--set", "training.epochs=2")
    assert imgclf("train", "lenet_digits", *settings, "--runs-dir", tmp_path).status == 0
    record = json.loads(next(tmp_path.glob("*/run.json")).read_text())
    assert 0 < record["training_seconds"] <= record["seconds"] < 600
