"""Names that mean harm: of classes and files, in a terminal, in tables for a spreadsheet, and in pictures as text."""

from __future__ import annotations

import csv
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Attack = Callable[..., Any]

FORMULA = "=HYPERLINK(1)"
ESCAPES = "\x1b]0;title\x07\x9b31m\u202e"
SCRIPT = "<script>alert(1)<‧script>"
MATH = "$\\frac{$ & [bold]"
CONFIG = (
    "dataset: {name: image_folder, path: photos}\nmodel: {name: perceptron}\ntraining: {epochs: 1, batch_size: 4}\n"
)
STARTS = ("=", "+", "-", "@", "\t", "\r")

ATTACKS = [
    "a class named like a formula",
    "a class named by escape sequences",
    "a class named like a script",
    "a class named like mathematics and markup",
    "a file named like a formula",
    "a file named by escape sequences",
    "a broken file named like a formula",
    "a config named like a script, drawn as SVG",
    "a target named by escape sequences",
    "a config named by escape sequences",
    "a run.json that nests 100,000 lists",
    "a run.json of escape sequences",
    "a run.json with a number of a million digits",
    "a table of labels with escape sequences",
]


def image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)).save(path, "PNG")


@pytest.fixture
def photos(work: Path) -> Path:
    for number, label in enumerate((FORMULA, ESCAPES, SCRIPT, MATH)):
        for seed in range(10):
            image(work / "photos" / label / f"{seed}.png", 10 * number + seed)
    return work / "photos"


def cells(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [cell for row in csv.reader(file) for cell in row]


def is_safe(cell: str) -> bool:
    is_number = re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell) is not None
    return cell.isprintable() and (is_number or not cell.startswith(STARTS))


@pytest.mark.slow  # trains, evaluates and predicts: each imports what draws its pictures
def test_a_run_on_evil_names_writes_nothing_that_runs(attack: Attack, work: Path, photos: Path) -> None:
    (photos / MATH / f"{FORMULA}.png").write_bytes(b"no image")
    (work / f"a{ESCAPES}.yaml").write_text(CONFIG.replace("photos}", "photos, max_unreadable: 1}"))
    found = attack("train", f"a{ESCAPES}.yaml", status=0)
    assert "test accuracy" in found.out
    image(work / f"{FORMULA}.png", 1)
    image(work / f"b{ESCAPES}.png", 2)
    for output in (("--csv", "table.csv"), ("--csv", "-"), ("--json",), ()):
        found = attack("predict", f"{FORMULA}.png", f"b{ESCAPES}.png", *output, status=0)
    assert attack("evaluate", status=0).out
    assert json.loads(attack("evaluate", "--json", status=0).out)["class_names"]
    assert attack("runs", "list", status=0).out
    tables = [*work.rglob("*.csv"), work / "table.csv"]
    assert {path.name for path in tables} >= {"table.csv", "quarantine.csv", "answers.csv", "metrics.csv"}
    for path in tables:
        assert [cell for cell in cells(path) if not is_safe(cell)] == [], path
    for path in (*work.rglob("log.txt"), *work.glob("runs/*/*.json")):
        text = path.read_text(encoding="utf-8")
        assert all(character.isprintable() or character == "\n" for character in text), path


@pytest.mark.slow  # imports TensorFlow and matplotlib
def test_a_diagram_holds_no_script(attack: Attack, work: Path) -> None:
    name = "<script>alert(1)<!--]]><svg onload=alert(1)>.yaml"
    (work / name).write_text("dataset: {name: digits}\nmodel: {name: lenet}\ntraining: {epochs: 1}\n")
    assert attack("models", "show", name, "--diagram", "x.svg", status=0).out
    tree = ElementTree.parse(work / "x.svg")
    tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert not tags & {"script", "foreignObject", "a", "image", "iframe"}
    assert not [key for element in tree.iter() for key in element.attrib if key.lower().startswith("on")]


def test_a_target_cannot_be_named_by_escape_sequences(attack: Attack, work: Path) -> None:
    (work / "labels.yaml").write_text(
        "dataset: {name: image_folder, path: photos, csv: labels.csv, file_column: file, "
        'label_columns: ["b\\e[2J"]}\nmodel: {name: lenet}\ntraining: {epochs: 1}\n'
    )
    assert "U+001B" in attack("config", "check", "labels.yaml").error()


def test_a_table_of_labels_does_not_steer_the_terminal(attack: Attack, work: Path) -> None:
    image(work / "photos" / "0.png", 0)
    (work / "photos" / "labels.csv").write_text(f"file,label\n0.png,a\n{ESCAPES}.png,{ESCAPES}\n../{ESCAPES},b\n")
    (work / "labels.yaml").write_text(
        "dataset: {name: image_folder, path: photos, csv: labels.csv, file_column: file, label_columns: [label]}\n"
        "model: {name: lenet}\ntraining: {epochs: 1}\n"
    )
    assert "leads out of the folder" in attack("data", "check", "labels.yaml").error()


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ('{"a": ' * 100_000, "not readable as JSON"),
        ('{"status": "\\u001b[2J", "name": "\\u009b31m"}', "the run has no weights"),
        ('{"x": ' + "9" * 1_000_000 + "}", "not readable as JSON"),
    ],
    ids=["nested", "escapes", "digits"],
)
def test_a_run_folder_of_somebody_is_refused(attack: Attack, work: Path, record: str, message: str) -> None:
    run = work / "runs" / "a-20260101-000000"
    run.mkdir(parents=True)
    (run / "run.json").write_text(record)
    (run / "experiment.yaml").write_text("dataset: {name: digits}\nmodel: {name: lenet}\ntraining: {epochs: 1}\n")
    assert message in attack("evaluate", run).error()
    attack("runs", "list", status=0)
