from __future__ import annotations

import pytest

from imgclf.cli.screen import time_left


@pytest.mark.parametrize(
    ("seconds", "done", "remaining", "text"),
    [(2.0, 1, 99, "0:03:18"), (10.0, 5, 1800, "1:00:00"), (3.0, 2, 0, "0:00:00"), (3.0, 0, 9, ""), (3.0, 4, -4, "")],
)
def test_the_time_left_is_known_from_the_first_part_that_was_done(
    seconds: float, done: int, remaining: int, text: str
) -> None:
    assert time_left(seconds, done, remaining) == text
