"""Every operation that changes the file system refused by it: a full disk, a broken one, a read-only one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from fault_points import Point, can_be_refused, failing, record
from test_kill import fresh, trees
from works import WORKS, Work, tree_of

from imgclf.errors import WorkFailed

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS)
LASTS = (False, True)


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.__getitem__)
@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_what_the_system_refuses_is_told_and_leaves_the_old_whole(work: Work, error: int, place: Path) -> None:
    before, after = trees(work, place)
    allowed = [before, after, *work.between(before, after)]
    folder = fresh(work, place)
    for point in record(lambda: work.run(folder)):
        for lasts in LASTS if can_be_refused(point, error) else ():
            where = f"{os.strerror(error)} at {point}{' and from then on' if lasts else ''}"
            fresh(work, place)
            told = refusal(work, folder, point.number, error, lasts)
            if told is not None:
                message = "\n".join(told.lines())
                assert any(name in message for name in work.tells), (where, message)
                assert os.strerror(error) in message, (where, message)
                assert told.hint, where
            if can_tidy(point, error, lasts) and not work.hides:
                assert tree_of(folder) in allowed, where
            work.recover(folder)
            work.judge(folder)
            assert tree_of(folder) in allowed, where


def refusal(work: Work, folder: Path, number: int, error: int, lasts: bool) -> WorkFailed | None:
    """What the work raised; nothing else may be raised."""
    try:
        with failing(number, error, lasting=lasts):
            work.run(folder)
    except WorkFailed as told:
        return told
    return None


def can_tidy(point: Point, error: int, lasts: bool) -> bool:
    """Whether the system still removes files: a full disk always does, a broken one where it failed only once."""
    return error == errno.ENOSPC or not (lasts or point.operation in ("unlink", "rmdir", "rename"))
