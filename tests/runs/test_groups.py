from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from imgclf.errors import ImgclfError, WorkFailed
from imgclf.runs.find import find_run, list_runs
from imgclf.runs.folder import create_run_folder
from imgclf.runs.groups import Group, create_group, find_group, group_at, list_groups, recorded

NOW = datetime(2026, 11, 24, 18, 5, 7)


@pytest.fixture
def group(tmp_path: Path) -> Group:
    return create_group(tmp_path / "runs", "lenet", "seeds", NOW)


def test_a_group_has_the_time_and_its_kind_in_its_name_and_is_known_by_its_record(group: Group) -> None:
    assert group.name == "lenet-20261124-180507-seeds"
    assert json.loads((group.path / "summary.json").read_text())["status"] == "running"
    assert group_at(group.path) == group
    assert group_at(group.path.parent) is None
    assert list_groups(group.path.parent) == [group]
    assert find_group(group.name, group.path.parent) == find_group(str(group.path), Path("elsewhere")) == group


def test_a_run_in_a_group_has_a_plain_name(group: Group) -> None:
    assert create_run_folder(group.path, "seed-0", NOW).path == group.path / "seed-0"
    assert create_run_folder(group.path.parent, "seed-0", NOW).name == "seed-0-20261124-180507"


def test_a_member_is_found_by_its_path_and_is_never_the_latest(group: Group) -> None:
    run = create_run_folder(group.path, "seed-0", NOW)
    run.update(status="finished", started="2026-11-24T18:00:00+00:00")
    runs_dir = group.path.parent
    assert find_run(f"{group.name}/seed-0", runs_dir) == run
    assert list_runs(runs_dir) == []
    with pytest.raises(ImgclfError, match="no finished run") as error:
        find_run("latest", runs_dir)
    assert error.value.hint == f"runs of {group.name} are named by their paths"


def test_a_group_is_no_run(group: Group) -> None:
    run = create_run_folder(group.path, "seed-0", NOW)
    run.update(status="finished")
    with pytest.raises(ImgclfError, match="must be one run; it is a folder of 1 runs") as error:
        find_run(group.name, group.path.parent)
    assert error.value.hint == f"name one of them: {run.path}"


def test_the_status_is_true_however_the_work_ends(group: Group) -> None:
    with recorded(group):
        assert group.record()["ended"] is None
    assert (group.record()["status"], group.record()["ended"] is None) == ("finished", False)
    with pytest.raises(WorkFailed), recorded(group):
        raise WorkFailed("full disk")
    assert group.record()["status"] == "failed"
    with pytest.raises(KeyboardInterrupt), recorded(group):
        raise KeyboardInterrupt
    assert group.record()["status"] == "interrupted"


def test_wrong_input_leaves_no_folder_unless_a_run_was_begun(group: Group) -> None:
    (group.path / "seed-0").mkdir()
    with pytest.raises(ImgclfError), recorded(group):
        raise ImgclfError("no data")
    assert group.record()["status"] == "failed"
    (group.path / "seed-0").rmdir()
    with pytest.raises(ImgclfError), recorded(group):
        raise ImgclfError("no data")
    assert not group.path.exists()


def test_a_group_whose_process_is_gone_has_died(group: Group) -> None:
    assert group.status() == "running"
    group.update(process={**group.record()["process"], "started": "of another one"})
    assert group.status() == "died"
    group.update(status="interrupted")
    assert group.status() == "interrupted"


@pytest.mark.parametrize("content", ["[1]", '{"cut', '{"accuracy": 0.5}', '{"kind": "models"}'])
def test_a_damaged_or_foreign_record_makes_no_group_and_hides_no_other(content: str, group: Group) -> None:
    other = group.path.parent / "other"
    other.mkdir()
    (other / "summary.json").write_text(content)
    assert list_groups(group.path.parent) == [group]
    with pytest.raises(ImgclfError, match="other"):
        find_run("other", group.path.parent)


def test_a_foreign_record_takes_no_time_from_the_names_of_runs(group: Group) -> None:
    (group.path.parent / "summary.json").write_text('{"accuracy": 0.5}')
    assert create_run_folder(group.path.parent, "lenet", NOW).name == "lenet-20261124-180507"
