from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from imgclf.cli import screen
from imgclf.cli.screen import Terminal, time_left


@pytest.mark.parametrize(
    ("seconds", "done", "remaining", "text"),
    [(2.0, 1, 99, "0:03:18"), (10.0, 5, 1800, "1:00:00"), (3.0, 2, 0, "0:00:00"), (3.0, 0, 9, ""), (3.0, 4, -4, "")],
)
def test_the_time_left_is_known_from_the_first_part_that_was_done(
    seconds: float, done: int, remaining: int, text: str
) -> None:
    assert time_left(seconds, done, remaining) == text


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("done", "is_shown"), [(100, False), (50, True)])
def test_no_bar_is_started_for_what_is_done_already(done: int, is_shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    tty = Tty()
    monkeypatch.setattr(sys, "stderr", tty)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(screen, "BAR_AFTER_SECONDS", -1.0)
    terminal = Terminal()
    for number in range(40):
        terminal.progress("training", done, 100, f"array {number}")
    with terminal.working(debug=True, tensorflow=False):
        pass  # the bar is taken down
    assert (tty.getvalue() != "") == is_shown


def test_the_time_left_of_a_second_phase_of_the_same_name_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(sys, "stderr", Tty())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(screen, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
    terminal, shown = Terminal(), []
    for seconds in (60, 6):  # of a tenth: the second phase is ten times as fast
        for done in range(0, 100, 10):
            terminal.progress("computing features", done, 100)
            clock.seconds += seconds
        assert terminal._bar is not None
        shown.append(terminal._bar.tasks[0].fields["left"])
        terminal.progress("computing features", 100, 100)
    assert shown == ["0:01:00", "0:00:06"]
