from __future__ import annotations

import csv
import io

import pytest

from imgclf.texts import csv_text, few, shape_text, size_text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (47_040_000, "47.0 MB"), (2.5e9, "2.5 GB"), (1.5e15, "1,500.0 TB")],
)
def test_bytes_have_a_unit_that_keeps_them_short(count: float, text: str) -> None:
    assert size_text(count) == text


def test_of_many_names_the_first_are_told_and_the_rest_is_counted() -> None:
    assert few(["a", "b", "c"], 3) == "a, b, c"
    assert few(["a", "b", "c"], 2) == "a, b and 1 more"
    assert few(["a"] * 1002, 2, "; ") == "a; a and 1,000 more"
    assert few([]) == ""


def test_an_unknown_side_of_a_shape_is_a_question_mark() -> None:
    assert shape_text((28, 28, 1)) == "28x28x1"
    assert shape_text((None, 10)) == "?x10"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("  =1", "  '=1"),
        ("a;=1", "a;'=1"),
        ("＝1", "'＝1"),
        ("\t=1", "\\t=1"),
        ("a=1", "a=1"),
        ("\x1b[2J\n", "\\x1b[2J\\n"),
        (-1.5, "-1.5"),
    ],
)
def test_no_cell_of_a_table_is_a_formula_or_steers_a_terminal(text: object, written: str) -> None:
    assert list(csv.reader(io.StringIO(csv_text(["a"], [[text]])))) == [["a"], [written]]
