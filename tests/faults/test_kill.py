"""SIGKILL just before, in the middle of, and just after every operation that changes the file system."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fault_points import kill, record, ways_to_be_killed
from works import WORKS, Tree, Work, tree_of


def trees(work: Work, place: Path) -> tuple[Tree, Tree]:
    """What lies in the folder before the work, and after it where nothing disturbs it."""
    folder = fresh(work, place)
    before = tree_of(folder)
    work.run(folder)
    return before, tree_of(folder)


def fresh(work: Work, place: Path) -> Path:
    folder = place / "folder"
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    work.prepare(folder)
    return folder


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_whenever_the_process_is_killed_the_old_is_there_or_the_new_and_both_whole(work: Work, place: Path) -> None:
    before, after = trees(work, place)
    allowed = [before, after, *work.between(before, after)]
    folder = fresh(work, place)
    for point in record(lambda: work.run(folder)):
        for when in ways_to_be_killed(point):
            fresh(work, place)
            kill(lambda: work.run(folder), point.number, when)
            seen, where = tree_of(folder, hidden=False), f"killed {when} {point}"
            assert work.hides or seen in [visible(tree) for tree in allowed], where
            work.recover(folder)
            work.judge(folder)
            assert tree_of(folder) in allowed, where
            if "model" not in after or not (folder / "model").exists():
                work.run(folder)
            assert tree_of(folder) == after, where


def visible(tree: Tree) -> Tree:
    return {name: content for name, content in tree.items() if not any(p.startswith(".") for p in Path(name).parts)}
