from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from imgclf.errors import ImgclfError
from imgclf.runs.folder import COLUMNS, RunFolder, create_run_folder, read_json

NOON = datetime(2026, 11, 22, 12, 0, 0)
ROW = {
    "epoch": 1.25,
    "step": 5,
    "stage": 1,
    "learning_rate": 0.0010000000474974513,
    "loss": 0.1 + 0.2,
    "accuracy": 1.0,
    "validation_loss": 1e-17,
    "validation_accuracy": None,
}


def test_a_folder_is_named_after_its_config_and_the_time(tmp_path: Path) -> None:
    run = create_run_folder(tmp_path / "runs", "lenet_mnist", NOON)
    assert run.path == tmp_path / "runs" / "lenet_mnist-20261122-120000"
    assert run.path.is_dir()
    assert run.name == "lenet_mnist-20261122-120000"


def test_runs_of_the_same_second_get_folders_of_their_own(tmp_path: Path) -> None:
    names = [create_run_folder(tmp_path, "mine", NOON).name for _ in range(3)]
    assert names == ["mine-20261122-120000", "mine-20261122-120000-2", "mine-20261122-120000-3"]


def test_a_file_in_the_place_of_the_runs_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(ImgclfError, match=r"must be a folder|can't be made"):
        create_run_folder(tmp_path / "runs", "mine", NOON)


def test_a_name_with_a_folder_in_it_stays_under_the_runs_folder(tmp_path: Path) -> None:
    with pytest.raises(ImgclfError, match="must be the name of a folder"):
        create_run_folder(tmp_path / "runs", "../elsewhere", NOON)
    assert not list(tmp_path.iterdir())


def test_the_name_of_a_run_is_that_of_its_folder_however_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create_run_folder(tmp_path, "mine", NOON)
    monkeypatch.chdir(run.path)
    assert RunFolder(Path()).name == run.name


def test_metrics_come_back_as_they_were_written(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_metrics([ROW, ROW | {"step": 6, "validation_loss": None}])
    assert run.read_metrics() == [ROW, ROW | {"step": 6, "validation_loss": None}]
    first = run.metrics.read_text().splitlines()[0]
    assert first == ",".join(COLUMNS)
    assert b"\r" not in run.metrics.read_bytes()


def test_metrics_without_rows_are_a_heading(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert run.read_metrics() == []
    run.write_metrics([])
    assert run.metrics.read_text() == ",".join(COLUMNS) + "\n"
    assert run.read_metrics() == []


def test_metrics_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.metrics.write_text("epoch,loss\n1,low\n")
    with pytest.raises(ImgclfError, match=r"metrics\.csv: expected numbers: .*'low'"):
        run.read_metrics()


def test_updates_of_the_record_keep_its_other_entries(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.update(status="running", seed=3)
    run.update(status="finished", accuracy=0.5)
    assert run.record() == {"status": "finished", "seed": 3, "accuracy": 0.5}


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), ("{", "not readable as JSON"), ("[1]", "expected a JSON object, found list")],
)
def test_a_record_that_cannot_be_read_is_named(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ImgclfError, match=message) as refused:
        read_json(path)
    assert str(refused.value).startswith(f"{path}: ")
