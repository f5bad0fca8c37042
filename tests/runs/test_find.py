from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from imgclf.errors import ImgclfError
from imgclf.runs.find import find_run, list_runs, run_of_weights
from imgclf.runs.folder import RunFolder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    for name, started, status in (
        ("lenet-20260103-120000", "2026-01-03T12:00:00+01:00", "failed"),
        ("mlp-20260102-120000", "2026-01-02T12:00:00+01:00", "finished"),
        ("zoo-20260101-120000", "2026-01-01T12:00:00+01:00", "finished"),
        ("lenet-20260104-120000", "2026-01-04T12:00:00+01:00", "running"),
    ):
        (folder / name).mkdir(parents=True)
        RunFolder(folder / name).update(started=started, status=status)
    return folder


def test_runs_are_listed_by_their_start(runs: Path) -> None:
    assert [run.name.split("-")[1] for run in list_runs(runs)] == ["20260101", "20260102", "20260103", "20260104"]


def test_what_is_no_run_is_not_listed(runs: Path) -> None:
    (runs / "notes").mkdir()
    (runs / "file.txt").write_text("")
    (runs / "broken").mkdir()
    (runs / "broken" / "run.json").write_text("{")
    assert len(list_runs(runs)) == 4
    assert find_run("latest", runs).name == "mlp-20260102-120000"
    assert list_runs(runs / "nowhere") == []


def test_the_latest_run_is_the_newest_finished_one(runs: Path) -> None:
    assert find_run("latest", runs).name == "mlp-20260102-120000"


def test_no_finished_run_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ImgclfError, match="no finished run") as refused:
        find_run("latest", tmp_path)
    assert refused.value.hint == "train one: imgclf train lenet_digits"


def test_a_run_is_found_by_its_path_and_by_its_name(runs: Path, tmp_path: Path) -> None:
    by_name = find_run("zoo-20260101-120000", runs)
    assert by_name.path == runs / "zoo-20260101-120000"
    assert find_run(str(by_name.path), tmp_path / "elsewhere").record() == by_name.record()


def test_a_wrong_name_is_answered_with_the_nearest_ones(runs: Path) -> None:
    with pytest.raises(ImgclfError, match="lent-20260103-120000: no run of this path or name") as refused:
        find_run("lent-20260103-120000", runs)
    assert refused.value.hint is not None
    assert refused.value.hint.startswith("did you mean lenet-20260103-120000 or ")


def test_a_name_like_no_other_is_answered_with_the_list(runs: Path) -> None:
    with pytest.raises(ImgclfError) as refused:
        find_run("qqq", runs)
    assert refused.value.hint == "`imgclf runs list` shows the runs that there are"


def test_a_part_of_a_name_is_enough_to_be_told_the_whole(runs: Path) -> None:
    with pytest.raises(ImgclfError) as refused:
        find_run("zoo", runs)
    assert refused.value.hint == "did you mean zoo-20260101-120000?"


def test_weights_know_their_run(runs: Path, tmp_path: Path) -> None:
    weights = runs / "zoo-20260101-120000" / "weights" / "best.weights.h5"
    owner = run_of_weights(weights)
    assert owner is not None
    assert owner.path == weights.parent.parent
    assert run_of_weights(tmp_path / "best.weights.h5") is None


def test_a_name_that_is_too_long_for_a_file_is_no_run(runs: Path) -> None:
    with pytest.raises(ImgclfError, match="no run of this path or name"):
        find_run("x" * 300, runs)


def test_a_folder_that_may_not_be_looked_into_hides_no_run() -> None:
    runs = Path(tempfile.mkdtemp())  # pytest's own folders may be entered by their owner alone
    for name in ("open", "private"):
        (runs / name).mkdir()
        RunFolder(runs / name).update(started="2026-01-01T12:00:00+01:00", status="finished")
    for folder in (runs, runs / "open"):
        folder.chmod(0o755)
    (runs / "private").chmod(0)
    was_root = os.geteuid() == 0
    try:
        if was_root:
            os.seteuid(65534)
        assert [run.name for run in list_runs(runs)] == ["open"]
        assert find_run("latest", runs).name == "open"
    finally:
        if was_root:
            os.seteuid(0)
        shutil.rmtree(runs)
