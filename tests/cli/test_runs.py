from __future__ import annotations

import json
from collections.abc import Callable
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from imgclf.evaluation.report import build_report
from imgclf.evaluation_files import TargetEvaluation, answers_text
from imgclf.experiment.load import experiment_text, load_experiment
from imgclf.runs.folder import RunFolder

Imgclf = Callable[..., Any]

CLASSES = ("cat", "dog", "owl")
LABELS = np.arange(60, dtype=np.int32) % 3
OVERRIDES = ("training.epochs=3", "model.filters=[4]")


def make_run(
    folder: Path, *, wrong: int, started: str, overrides: tuple[str, ...] = (), status: str = "finished"
) -> RunFolder:
    """A run as `train` leaves it, whose first ``wrong`` answers of 60 are wrong."""
    folder.mkdir(parents=True)
    run = RunFolder(folder)
    run.experiment.write_text(experiment_text(load_experiment("lenet_digits", overrides).experiment))
    run.update(
        status=status,
        name="lenet_digits",
        config="lenet_digits.yaml",
        overrides=list(overrides),
        digest="0123456789ab",
        seed=0,
        started=started,
        seconds=75.25,
        training_seconds=60.0,
        parameters=12345,
        device_note="CPU",
        accuracy=1 - wrong / len(LABELS),
        versions={"python": "3.11.7", "keras": "3.15.0"},
        machine={"processor": "a processor", "cores": 2},
        diagnosis={"kind": "overfits", "seen": ["Seen."], "advice": ["Do less."]},
        data={
            "dataset": "digits",
            "notes": ["found somewhere"],
            "fingerprint": "f" * 64,
            "image_shape": [8, 8, 1],
            "targets": [{"name": "label", "class_names": list(CLASSES)}],
            "images": {"train": 1000, "validation": 100, "test": len(LABELS)},
        },
    )
    write_answers(run, wrong)
    row = {"epoch": 1.0, "step": 10, "stage": 0, "learning_rate": 0.1, "loss": 1.0, "accuracy": 0.5}
    run.write_metrics([row, {**row, "epoch": 2.0, "step": 20, "validation_loss": 0.5, "validation_accuracy": 0.75}])
    return run


def write_answers(run: RunFolder, wrong: int, labels: np.ndarray = LABELS) -> None:
    answers = np.where(np.arange(len(labels)) < wrong, (labels + 1) % 3, labels)
    logits = (np.eye(3, dtype=np.float32) * 2)[answers]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    report = build_report(logits, labels, CLASSES, "test")
    run.report.write_text(json.dumps(report))
    (run.path / "answers.csv").write_text(answers_text(TargetEvaluation("label", report, labels, shares)))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of two finished runs, ``first`` and ``second`` (the newer), and one that failed."""
    folder = tmp_path / "runs"
    make_run(folder / "first", wrong=6, started="2026-11-22T10:00:00+00:00")
    make_run(folder / "second", wrong=20, started="2026-11-22T11:30:00+00:00", overrides=OVERRIDES)
    failed = make_run(folder / "third", wrong=0, started="2026-11-23T11:30:00+00:00", status="failed")
    record = failed.record()
    del record["accuracy"], record["seconds"]
    failed.record_file.write_text(json.dumps(record))
    failed.report.unlink()
    (failed.path / "answers.csv").unlink()
    return folder


def test_list_has_a_row_for_every_run(imgclf: Imgclf, runs: Path) -> None:
    answer = imgclf("runs", "list", "--runs-dir", runs)
    assert [line.split() for line in answer.out.splitlines()] == [
        ["run", "config", "status", "accuracy", "start", "duration"],
        ["first", "lenet_digits", "finished", "0.9000", "2026-11-22", "10:00", "1", "min", "15", "s"],
        ["second", "lenet_digits", "finished", "0.6667", "2026-11-22", "11:30", "1", "min", "15", "s"],
        ["third", "lenet_digits", "failed", "-", "2026-11-23", "11:30", "-"],
    ]


def test_list_as_json(imgclf: Imgclf, runs: Path) -> None:
    listed = json.loads(imgclf("runs", "list", "--runs-dir", runs, "--json").out)
    assert [(run["name"], run["status"], run["accuracy"]) for run in listed] == [
        ("first", "finished", 0.9),
        ("second", "finished", 1 - 20 / 60),
        ("third", "failed", None),
    ]


def test_an_empty_list_says_where_it_looked(imgclf: Imgclf, tmp_path: Path) -> None:
    answer = imgclf("runs", "list", "--runs-dir", tmp_path / "nowhere")
    assert answer.status == 0
    assert answer.out.startswith(f"no runs in {tmp_path / 'nowhere'}; --runs-dir")
    assert imgclf("runs", "list", "--runs-dir", tmp_path / "nowhere", "--json").out == "[]\n"


def test_a_name_cannot_steer_the_terminal(imgclf: Imgclf, runs: Path) -> None:
    (runs / "first").rename(runs / "\x1b[31mfirst")
    assert "\\x1b[31mfirst" in imgclf("runs", "list", "--runs-dir", runs).out
    shown = imgclf("runs", "show", "\x1b[31mfirst", "--runs-dir", runs).out
    assert all(line.isprintable() for line in shown.splitlines())


def test_show_tells_the_newest_finished_run_whole(imgclf: Imgclf, runs: Path) -> None:
    told = imgclf("runs", "show", "--runs-dir", runs).out
    assert [line.split()[0] for line in told.splitlines() if not line.startswith(" ")] == [
        "run", "status", "folder", "config", "data", "model", "device", "result", "began", "took", "versions",
        "machine", "diagnosis", "files",
    ]  # fmt: skip
    interval = binomtest(40, 60).proportion_ci(method="wilson")
    assert f"test accuracy 0.6667 (95 % interval {interval.low:.4f} to {interval.high:.4f})" in told
    assert "digits: 1,000 train, 100 validation, 60 test images of 8x8x1; 3 classes" in told
    assert "lenet, 12,345 parameters" in told
    assert "--set training.epochs=3 --set model.filters=[4]" in told
    assert "try: Do less." in told
    assert "answers.csv, experiment.yaml, metrics.csv, report.json, run.json" in told


def test_show_as_json_is_the_record(imgclf: Imgclf, runs: Path) -> None:
    shown = json.loads(imgclf("runs", "show", "first", "--runs-dir", runs, "--json").out)
    assert shown == json.loads((runs / "first" / "run.json").read_text())


def test_show_of_a_run_that_failed(imgclf: Imgclf, runs: Path) -> None:
    told = imgclf("runs", "show", "third", "--runs-dir", runs).out
    assert f"status     failed; `imgclf train --resume {runs / 'third'}` goes on\n" in told
    assert "result     no report; last measured: epoch 2.0, step 20, accuracy " in told


def test_compare_prints_differences_results_and_a_paired_test(imgclf: Imgclf, runs: Path) -> None:
    answer = imgclf("runs", "compare", "first", "second", "--runs-dir", runs)
    assert answer.status == 0, answer.err
    settings, results, end = answer.out.split("\n\n")
    assert [line.split() for line in settings.splitlines()] == [
        ["setting", "first", "second"],
        ["model.filters", "[20,", "50]", "[4]"],
        ["training.epochs", "30", "3"],
    ]
    assert [line.split()[:2] for line in results.splitlines()[1:]] == [["first", "0.9000"], ["second", "0.6667"]]
    # The first 6 are wrong in both; of the 14 that only one gets right, all are the first's.
    p = 2 * comb(14, 14) / 2**14
    assert f"right only in first: 14 images; only in second: 0 images; p = {p:.3g}" in end
    assert (runs / "compare-first-second.png").read_bytes().startswith(b"\x89PNG")
    assert f"curves are in {runs / 'compare-first-second.png'}" in end


def test_compare_writes_the_picture_where_it_is_asked_to(imgclf: Imgclf, runs: Path, tmp_path: Path) -> None:
    imgclf("runs", "compare", "first", "third", "--runs-dir", runs, "--plot", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert not list(runs.glob("*.png"))


def test_settings_of_other_sections_stand_beside_nothing(imgclf: Imgclf, runs: Path) -> None:
    make_run(runs / "mlp", wrong=1, started="2026", overrides=("model={name: mlp}",))
    told = imgclf("runs", "compare", "first", "mlp", "--runs-dir", runs).out
    rows = {line.split()[0]: line.split()[1:] for line in told.split("\n\n")[0].splitlines()}
    assert rows["model.kernel_size"] == ["5", "-"]
    assert rows["model.dropout"] == ["-", "0.0"]
    assert rows["model.name"] == ['"lenet"', '"mlp"']


def other_data(run: RunFolder) -> None:
    run.update(data={**run.record()["data"], "fingerprint": "0" * 64})


def other_images(run: RunFolder) -> None:
    write_answers(run, 5, LABELS[::-1])


def other_images_of_the_same_labels(run: RunFolder) -> None:
    for one, digest in ((RunFolder(run.path.parent / "first"), "a"), (run, "b")):
        one.update(data={**one.record()["data"], "test_fingerprint": digest * 64})


def no_answers(run: RunFolder) -> None:
    (run.path / "answers.csv").unlink()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (other_data, "no paired test: the runs were trained on different data"),
        (other_images, "no paired test: the runs were tested on different images"),
        (other_images_of_the_same_labels, "no paired test: the runs were tested on different images"),
        (no_answers, "no paired test: second has no answers.csv; `imgclf evaluate"),
    ],
)
def test_no_paired_test_has_a_reason(
    imgclf: Imgclf, runs: Path, change: Callable[[RunFolder], None], reason: str
) -> None:
    change(RunFolder(runs / "second"))
    answer = imgclf("runs", "compare", "first", "second", "--runs-dir", runs)
    assert answer.status == 0, answer.err
    assert reason in answer.out


def test_runs_of_one_name_are_told_apart(imgclf: Imgclf, runs: Path, tmp_path: Path) -> None:
    twin = make_run(tmp_path / "elsewhere" / "first", wrong=6, started="2026")
    told = imgclf("runs", "compare", "first", twin.path, "--runs-dir", runs).out
    assert told.startswith("the settings are the same\n")
    assert f"right only in {runs / 'first'}: 0 images; only in {twin.path}: 0 images; p = 1\n" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["first", "first"], "both names are this run"),
        (["first", "secnd"], "hint: did you mean second?"),
        (["first", "second", "--plot", "curves.svg"], "the picture's name must end in .png"),
        (["first", "second", "--plot", "/proc/none/curves.png"], "the picture can't be written"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_status_2(imgclf: Imgclf, runs: Path, arguments: list[str], message: str) -> None:
    answer = imgclf("runs", "compare", *arguments, "--runs-dir", runs)
    assert (answer.status, answer.out) == (2, "")
    assert message in answer.err


def test_answers_that_are_none_are_named(imgclf: Imgclf, runs: Path) -> None:
    (runs / "second" / "answers.csv").write_text("index,label\n0,cat\n")
    answer = imgclf("runs", "compare", "first", "second", "--runs-dir", runs)
    assert answer.status == 2
    assert f"{runs / 'second' / 'answers.csv'}: not a list of answers" in answer.err
