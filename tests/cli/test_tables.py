from __future__ import annotations

import pytest
from rich.cells import cell_len

from imgclf.cli.tables import print_labelled, print_table, table_lines

HEAD = ["name", "what it shows", "accuracy"]
ROWS = [
    ["lenet_digits", "LeNet on the 1,797 handwritten digits that scikit-learn carries", "0.9912"],
    ["数字", "a name of wide characters", "-"],
]


def test_a_table_in_a_pipe_has_a_row_a_line_and_cuts_nothing() -> None:
    rows = [["n" * 200, "w " * 300 + "end", "0.5"]]
    lines = table_lines(HEAD, rows, (), None)
    assert len(lines) == 2
    assert all(cell in lines[1] for cell in rows[0])


def test_columns_stand_under_their_heads() -> None:
    lines = table_lines(HEAD, ROWS, ["accuracy"], 200)
    assert [line.split("  ")[0] for line in lines] == ["name", "lenet_digits", "数字"]
    assert {cell_len(line) for line in lines} == {cell_len(lines[0])}  # all end where the right-aligned column does
    column = lines[0].index("what it shows")
    assert lines[1][column:].startswith("LeNet on")


def test_a_table_that_does_not_fit_has_a_block_a_row_and_loses_nothing() -> None:
    lines = table_lines(HEAD, ROWS, ["accuracy"], 40)
    assert all(len(line) <= 40 for line in lines)
    assert lines[0] == "lenet_digits"
    words = " ".join(line.strip() for line in lines)
    for row in ROWS:
        assert all(cell in words for cell in row)
    assert "accuracy: 0.9912" in words


@pytest.mark.parametrize("width", [None, 40])
def test_control_characters_are_escaped(width: int | None) -> None:
    lines = table_lines(["run", "a\x1b[2J"], [["\x1b[31mred", "two\nlines\u202e"]], (), width)
    assert all(line.isprintable() for line in lines)
    assert "\\x1b[31mred" in "".join(lines)


def test_printing_in_a_pipe_breaks_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(HEAD, ROWS)
    print_labelled([("folder", "x" * 300), ("", "y " * 200 + "z")])
    assert len(capsys.readouterr().out.splitlines()) == len(ROWS) + 1 + 2
