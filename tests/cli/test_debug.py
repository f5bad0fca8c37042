from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Imgclf = Callable[..., Any]


def test_debug_shows_where_a_mistake_was_found_and_ends_as_without_it(imgclf: Imgclf) -> None:
    plain, shown = imgclf("train", "nosuch"), imgclf("train", "nosuch", "--debug")
    assert plain.status == shown.status == 2
    assert "Traceback" not in plain.err
    assert "Traceback" in shown.err
    assert shown.err.endswith(plain.err)


def test_a_fault_of_the_program_is_called_so_and_debug_shows_it(
    imgclf: Imgclf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("a fault")

    monkeypatch.setattr("imgclf.experiment.load.find_config", broken)
    plain, shown = imgclf("train", "any"), imgclf("train", "any", "--debug")
    assert plain.status == shown.status == 1
    assert plain.err == "error: KeyError: 'a fault'\nhint: this is a fault of imgclf; --debug shows where it happened\n"
    assert shown.err.startswith("Traceback")
    assert "hint: this is a fault of imgclf; the lines above show where it happened\n" in shown.err


def test_a_path_that_the_system_refuses_is_wrong_input(imgclf: Imgclf) -> None:
    for arguments in (("predict", "a.png", "--csv", "x" * 300), ("evaluate", "--weights", "x" * 300)):
        answer = imgclf(*arguments)
        assert answer.status == 2
        assert answer.err == f"error: {'x' * 300}: File name too long\n"


@pytest.mark.parametrize("name", ["MemoryError", "ResourceExhaustedError"])
def test_memory_that_does_not_suffice_is_no_fault_of_the_program(
    name: str, imgclf: Imgclf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise MemoryError if name == "MemoryError" else type(name, (Exception,), {})("OOM when allocating")

    monkeypatch.setattr("imgclf.experiment.load.find_config", full)
    answer = imgclf("train", "any")
    assert answer.status == 1
    assert answer.err.startswith("error: the memory of this device does not suffice\nhint: a smaller model, ")
