from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from imgclf.interruption import Interruption


class Ended(Exception):
    """What the program's own handler does."""


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    def end(number: int, _frame: object) -> None:
        raise Ended(number)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_first_signal_waits_until_the_run_is_ready_and_is_said() -> None:
    said: list[str] = []
    interruption = Interruption(said.append)

    def run() -> None:
        with interruption.caught():
            signal.raise_signal(signal.SIGTERM)
            assert interruption.pending == signal.SIGTERM
            interruption.take_effect()

    with pytest.raises(Ended, match=str(int(signal.SIGTERM))):
        run()
    assert len(said) == 1


def test_a_second_signal_ends_at_once() -> None:
    def run() -> None:
        with Interruption(lambda _: None).caught():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            pytest.fail("the second signal was kept")

    with pytest.raises(Ended):
        run()


def test_a_signal_that_came_after_the_last_checkpoint_takes_effect_at_the_end() -> None:
    done: list[bool] = []

    def run() -> None:
        with Interruption(lambda _: None).caught():
            signal.raise_signal(signal.SIGINT)
            done.append(True)

    with pytest.raises(Ended):
        run()
    assert done


def test_a_signal_in_the_middle_of_a_line_waits_for_no_lock_that_the_run_holds() -> None:
    line, said = threading.Lock(), threading.Event()

    def say(_: str) -> None:
        with line:
            said.set()

    def run() -> None:
        with Interruption(say).caught(), line:
            signal.raise_signal(signal.SIGINT)
            assert not said.is_set()

    with pytest.raises(Ended):
        run()
    assert said.is_set()


def test_afterwards_signals_are_answered_as_before() -> None:
    with Interruption(lambda _: None).caught():
        pass
    with pytest.raises(Ended):
        signal.raise_signal(signal.SIGINT)
