from __future__ import annotations

import pytest

from imgclf.runs.target_files import LONGEST, target_parts


def test_a_single_target_leaves_no_trace_in_the_names() -> None:
    assert target_parts(["any/thing"]) == {"any/thing": ""}


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["colour", "shape"], ["-colour", "-shape"]),
        (["../etc/passwd", "Größe in cm"], ["-_etc_passwd", "-Größe_in_cm"]),
        (["a b", "a_b", "A-b"], ["-a_b", "-a_b_2", "-A_b_3"]),
        (["a b", "a_b", "a b 2"], ["-a_b", "-a_b_2", "-a_b_2_2"]),
        (["x" * 300, "/"], ["-" + "x" * LONGEST, "-_"]),
    ],
)
def test_parts_are_names_for_every_file_system_and_no_two_are_one(names: list[str], parts: list[str]) -> None:
    assert list(target_parts(names).items()) == list(zip(names, parts, strict=True))
