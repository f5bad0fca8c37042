"""The order that a power cut asks for: content on the disk, then the name, then the folder; only then the old goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_points import Point, record
from test_kill import fresh
from works import WORKS, Work, find

RENAMES, REMOVES, WRITES = ("rename", "replace"), ("unlink", "rmdir", "remove"), ("write", "sendfile", "truncate")
WRITING = [work for work in WORKS if work.run is not find]


def touched(points: list[Point], path: Path) -> list[int]:
    """When the content of a file, or of a folder and all in it, was changed."""
    inside = [one for one in points if path in (Path(one.path), *Path(one.path).parents)]
    return [one.number for one in inside if one.operation in (*WRITES, "open", "link", "mkdir")]


@pytest.mark.parametrize("work", WRITING, ids=lambda work: work.name)
def test_what_gets_its_name_is_on_the_disk_with_all_that_is_in_it(work: Work, place: Path) -> None:
    folder = fresh(work, place)
    points = record(lambda: work.run(folder))
    named = [one for one in points if one.operation in RENAMES and not Path(one.path).name.startswith(".")]
    assert named
    for rename in named:
        before = points[: points.index(rename)]
        written = {Path(before_one.path) for before_one in before if before_one.operation in WRITES}
        for file in {one for one in written if Path(rename.source) in (one, *one.parents)}:
            flushes = [one.number for one in before if one.operation == "fsync" and Path(one.path) == file]
            assert flushes, f"{file} is never flushed"
            assert max(flushes) > max(touched(before, file)), f"{file} is written after it was flushed"
        folders = {Path(one.path).parent for one in before if one.operation == "open"}
        for inside in {one for one in folders if Path(rename.source) in (one, *one.parents)}:
            assert any(one.operation == "fsync" and Path(one.path) == inside for one in before), inside


@pytest.mark.parametrize("work", WRITING, ids=lambda work: work.name)
def test_a_name_is_on_the_disk_before_anything_old_is_removed_and_before_the_work_ends(work: Work, place: Path) -> None:
    folder = fresh(work, place)
    points = record(lambda: work.run(folder))
    for number, point in enumerate(points):
        is_new = point.operation == "mkdir" or (
            point.operation in RENAMES and not Path(point.path).name.startswith(".")
        )
        if not is_new or any(part.startswith(".") for part in Path(point.path).relative_to(folder).parts):
            continue
        parent, later = Path(point.path).parent, points[number + 1 :]
        flushed = next((one for one, after in enumerate(later) if is_flush(after, parent)), None)
        assert flushed is not None, f"{parent} is never flushed after {point}"
        removed = [str(one) for one in later[:flushed] if one.operation in REMOVES]
        assert removed == [], f"removed before {point} is on the disk"


def is_flush(point: Point, path: Path) -> bool:
    return point.operation == "fsync" and Path(point.path) == path
