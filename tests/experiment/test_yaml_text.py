from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from imgclf.experiment.document import Document
from imgclf.experiment.problems import ExperimentError, nearest
from imgclf.experiment.yaml_text import parse, parse_value, read


def _refused(text: str) -> list[str]:
    with pytest.raises(ExperimentError) as caught:
        parse(text, "mine.yaml")
    assert all(problem.where.startswith("mine.yaml") for problem in caught.value.problems)
    return str(caught.value).splitlines()


def _message(text: str) -> list[str]:
    """The problems of the text, one a line; none where it is in order."""
    try:
        return [] if isinstance(parse(text, "mine.yaml"), Document) else ["no document"]
    except ExperimentError as error:
        return str(error).split("\n") or ["no problem"]


# The values that YAML 1.2.2 gives in section 10.3 (core schema), with the texts that YAML 1.1 would take otherwise.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1.", 1.0),
        (".5", 0.5),
        ("1E5", 100000.0),
        ("-1.5e+3", -1500.0),
        ("0x1F", 31),
        ("0o17", 15),
        ("010", 10),
        ("-7", -7),
        ("+3", 3),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("off", "off"),
        ("y", "y"),
        ("2026-11-22", "2026-11-22"),
        ("12:30", "12:30"),
        ("2026-11-22 10:00:00", "2026-11-22 10:00:00"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("1e", "1e"),
        ("=", "="),
        ("tRUE", "tRUE"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("!!float 3", 3.0),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = parse(f"key: {text}\n", "mine.yaml").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(parse("key: .nan", "mine.yaml").data["key"])


def test_every_key_and_entry_has_its_line() -> None:
    document = parse("# a comment\nmodel:\n  name: lenet\n  filters:\n  - 8\n  - 16\nseed: 3\n", "mine.yaml")
    assert document.line(("model",)) == 2
    assert document.line(("model", "filters")) == 4
    assert document.line(("model", "filters", 1)) == 6
    assert document.line(("seed",)) == 7


def test_a_missing_key_has_the_line_of_its_nearest_ancestor() -> None:
    document = parse("seed: 3\nmodel:\n  name: lenet\n", "mine.yaml")
    assert document.line(("model", "head", "units")) == 2
    assert document.line(("training", "epochs")) == 1
    assert document.where(("model", "head")) == "mine.yaml:2"


def test_aliases_are_copies_of_their_values() -> None:
    data = parse("first: &sizes [1, 2]\nsecond: *sizes\n", "mine.yaml").data
    data["first"].append(3)
    assert data["second"] == [1, 2]


def test_all_mistakes_of_a_file_are_reported_together_with_line_and_column() -> None:
    assert _refused(
        'seed: 1\nmodel:\n  1: a\n  x: !!python/object:os.system b\nseed: 2\ntext: "\\0"\n<<: {a: 1}\n'
    ) == [
        "mine.yaml:3:3: model: a key must be text; found 1 as key",
        "mine.yaml:4:6: model.x: the tag !!python/object:os.system cannot stand here; remove it",
        "mine.yaml:5:1: seed: duplicate key; it stands in line 1 already",
        "mine.yaml:6:7: text: the text holds the character U+0000; remove it",
        "mine.yaml:7:1: merge keys (<<) are not supported; write the keys out",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "mine.yaml:1:1: the file is empty"),
        ("# nothing\n", "mine.yaml:1:1: the file is empty"),
        ("- a\n- b\n", 'mine.yaml:1:1: expected a mapping of sections, found ["a", "b"]'),
        ("a: 1\n---\nb: 2\n", "mine.yaml:2:1: a second document begins here"),
        ("a:\n\tb: 1\n", "mine.yaml:2:1: a tab where YAML wants spaces"),
        ("a: b: c\n", 'mine.yaml:1:5: a ": " that does not fit here'),
        ("a: 'b\n", "mine.yaml:2:1: the file ends inside quotes"),
        (
            "a: [1, 2\nb: 3\n",
            "mine.yaml:2:2: a comma or a closing ] is missing before this",
        ),
        ("a: 1\nb: x\x07y\n", "mine.yaml:2:5: the character U+0007"),
        ('a: "\\UFFFFFFFF"\n', "mine.yaml:1:"),
        ('a: "\\ud800"\n', "mine.yaml:1:4: a: the text holds the character U+D800"),
        ("a: &x [*x]\n", "mine.yaml:1:4: an alias stands inside the value that it names"),
        ("a:\n    b: 1\n   c: 2\n", "mine.yaml:3:4: this does not fit here; check the indentation"),
        ("a: *x\n", "mine.yaml:1:4: found undefined alias 'x'"),
        ("[a]: 1\n", "mine.yaml:1:1: a key must be text; found a mapping or a list as key"),
        ("?\n: 1\n", "mine.yaml:1:2: a key must be text; found nothing as key"),
        ("true: 1\n", "mine.yaml:1:1: a key must be text; found true as key"),
        ("a: 9223372036854775808\n", "mine.yaml:1:4: a: the number 9223372036854775808 is too large"),
        ("a: 1e999\n", "mine.yaml:1:4: a: the number 1e999 is too large"),
        ("a: " + "9" * 5000, "mine.yaml:1:4: a: the number 99999"),
        ("%YAML " + "1" * 5000 + ".1\n---\na: 1", "mine.yaml:1:"),
        ("a: " + "[" * 1000, "mine.yaml:1:36: nested more than 32 levels deep"),
        ("a: 1\n" * 300_000, "mine.yaml: is over 1 MiB"),
    ],
)
def test_what_is_refused_says_where_and_why(text: str, expected: str) -> None:
    assert _refused(text)[0].startswith(expected)


def test_an_alias_bomb_is_stopped() -> None:
    levels = "".join(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10))
    assert "more than 10000 values" in _refused("a0: &a0 [x, x]\n" + levels)[0]


def test_deep_chains_of_aliases_are_stopped() -> None:
    levels = "".join(f"a{level}: &a{level} [*a{level - 1}]\n" for level in range(1, 40))
    assert "nested more than 32 levels" in _refused("a0: &a0 [x]\n" + levels)[0]


def test_thirty_levels_are_not_too_deep() -> None:
    assert parse("a: " + "[" * 30 + "]" * 30, "mine.yaml").data


def test_whatever_the_text_there_is_a_document_or_an_error_with_a_place() -> None:
    pieces = ["a", "b: ", "- ", "[", "]", "{", "}", ",", ": ", "\n", "\n  ", "&x ", "*x", "!!str ", "!", "!<", "'", '"']
    pieces += ["%YAML 1.2\n", "%TAG ! x\n", "---", "...", "|", ">-2\n", "? ", "\t", "#", "\\x", "\\U", "FFFFFFFF", "\0"]
    pieces += ["\x85", "\u2028", "\ufeff", "0x", "null", "~", "<<", "=", "@", "`", "%ff", "\r", "\ud800", "é", "!e!"]
    generator = random.Random(7)
    for _ in range(2000):
        text = "".join(generator.choices(pieces, k=generator.randint(1, 12)))
        message = _message(text)
        assert all(line.startswith("mine.yaml:") and line.isprintable() for line in message), repr(text)


def test_a_file_that_is_not_utf_8_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"seed: 1\nname: caf\xe9\n")
    with pytest.raises(ExperimentError, match=r"mine\.yaml:2: not UTF-8 text: found the byte 0xe9"):
        read(path)


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_read_gives_the_document_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xef\xbb\xbfseed: 1\r\nname: a\r\n")
    assert read(path).data == {"seed": 1, "name": "a"}


def test_a_single_value_follows_the_same_rules() -> None:
    assert parse_value("[8, 1e1, on]", "--set a", "a") == [8, 10.0, "on"]
    assert parse_value("", "--set a", "a") is None


def test_a_comment_in_a_single_value_is_not_dropped_in_silence() -> None:
    with pytest.raises(ExperimentError, match="is a comment in YAML; quote the value"):
        parse_value("red #1", "--set a", "a")


@pytest.mark.parametrize(
    ("word", "expected"),
    [("fliters", "filters"), ("lenett", "lenet"), ("LeNet", "lenet"), ("batch-size", "batch_size"), ("zzz", None)],
)
def test_nearest_finds_slips_and_nothing_else(word: str, expected: str | None) -> None:
    assert nearest(word, ["filters", "lenet", "batch_size", "mlp"]) == expected


def test_an_error_prints_one_line_a_problem() -> None:
    with pytest.raises(ExperimentError) as caught:
        parse("a: 1\na: 2\na: 3\n", "mine.yaml")
    assert caught.value.exit_status == 2
    assert caught.value.lines() == [
        "error: mine.yaml:2:1: a: duplicate key; it stands in line 1 already",
        "error: mine.yaml:3:1: a: duplicate key; it stands in line 1 already",
    ]
