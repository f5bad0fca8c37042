"""`imgclf train --seeds` as its users run it."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from scipy import stats

from imgclf.evaluation.group_schemas import SUMMARY_SCHEMA

pytestmark = pytest.mark.slow  # each is a process whose children import TensorFlow and train

TRAIN = [sys.executable, "-m", "imgclf", "train", "lenet_digits", "--set", "model.filters=[4, 8]"]
SHORT = ["--set", "training.epochs=1"]


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    runs = tmp_path_factory.mktemp("runs")
    command = [*TRAIN, *SHORT, "--set", "seed=4", "--seeds", "2", "--name", "tiny", "--runs-dir", str(runs)]
    return subprocess.run(command, capture_output=True, text=True, check=False), runs


def test_the_summary_is_that_of_the_runs(trained: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, runs = trained
    assert done.returncode == 0, done.stderr
    (folder,) = runs.glob("tiny-*-seeds")
    summary = read(folder / "summary.json")
    jsonschema.validate(summary, SUMMARY_SCHEMA)
    assert (summary["status"], summary["seeds"], summary["finished"], summary["failed"]) == ("finished", [4, 5], 2, 0)
    reports = [read(folder / f"seed-{seed}" / "report.json") for seed in (4, 5)]
    records = [read(folder / f"seed-{seed}" / "run.json") for seed in (4, 5)]
    assert [record["seed"] for record in records] == [4, 5]
    accuracies = [report["accuracy"] for report in reports]
    found = summary["metrics"]["accuracy"]
    assert found["mean"] == pytest.approx(statistics.fmean(accuracies))
    assert found["standard_deviation"] == pytest.approx(statistics.stdev(accuracies))
    low, high = stats.t.interval(0.95, 1, loc=statistics.fmean(accuracies), scale=stats.sem(accuracies))
    assert found["interval"] == pytest.approx([max(low, 0), min(high, 1)])
    f1 = statistics.fmean(report["macro_average"]["f1"] for report in reports)
    assert summary["metrics"]["macro_average.f1"]["mean"] == pytest.approx(f1)
    memory = statistics.fmean(record["peak_memory_bytes"] for record in records)
    assert summary["costs"]["peak_memory_bytes"]["mean"] == pytest.approx(memory)


def test_each_line_of_progress_says_whose_it_is(trained: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, _ = trained
    assert [line[:15] for line in done.stderr.splitlines() if "epoch" in line] == ["seed-4: epoch 1", "seed-5: epoch 1"]
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    assert len(rows["accuracy"]) == 7
    assert "2 of 2 seeds finished" in done.stdout


def test_the_list_shows_the_group_and_show_its_table(
    trained: tuple[subprocess.CompletedProcess[str], Path], imgclf: Any
) -> None:
    done, runs = trained
    (folder,) = runs.glob("tiny-*-seeds")
    mean = read(folder / "summary.json")["metrics"]["accuracy"]["mean"]
    (row,) = json.loads(imgclf("runs", "list", "--runs-dir", runs, "--json").out)
    assert (row["name"], row["accuracy"], row["runs"]) == (folder.name, mean, ["seed-4", "seed-5"])
    assert imgclf("runs", "list", "--runs-dir", runs).out.splitlines()[1].split()[:4] == [
        folder.name, "lenet_digits", "finished", f"{mean:.4f}",
    ]  # fmt: skip
    assert imgclf("runs", "show", folder.name, "--runs-dir", runs).out == done.stdout
    assert json.loads(imgclf("runs", "show", folder, "--json").out) == read(folder / "summary.json")


def test_a_seed_that_dies_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    if not Path(f"/proc/self/task/{os.getpid()}/children").exists():
        pytest.skip("this system does not list a process's children")
    command = [*TRAIN, "--set", "training.epochs=3", "--seeds", "2", "--runs-dir", str(tmp_path), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("seed-0: epoch 1"):
                (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                os.kill(int(child), signal.SIGKILL)
        summary = json.loads(process.stdout.read())
    assert process.returncode == 1
    assert said[-1].startswith("error: ")
    assert said[-1].endswith("-seeds: failed: seed-0\n")
    jsonschema.validate(summary, SUMMARY_SCHEMA)
    assert (summary["status"], summary["finished"], summary["failed"]) == ("failed", 1, 1)
    assert [run["status"] for run in summary["runs"]] == ["failed", "finished"]
    assert (summary["metrics"]["accuracy"]["n"], summary["metrics"]["accuracy"]["interval"]) == (1, None)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_child_and_parent(number: signal.Signals, status: int, tmp_path: Path) -> None:
    command = [*TRAIN, "--set", "training.epochs=5000", "--seeds", "3", "--runs-dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("seed-0: epoch 1:"):
                process.send_signal(number)
    assert process.returncode == status
    assert said[-1] == "interrupted\n"
    (summary,) = tmp_path.glob("*/summary.json")
    assert read(summary)["status"] == "interrupted"
    jsonschema.validate(read(summary), SUMMARY_SCHEMA)
    assert [read(record)["status"] for record in tmp_path.glob("*/*/run.json")] == ["interrupted"]


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_wrong_input_is_told_once_and_leaves_nothing(debug: list[str], tmp_path: Path) -> None:
    command = [*TRAIN[:4], "mlp_fashion_mnist", "--set", "dataset={name: npz, path: none.npz}", "--seeds", "3"]
    done = subprocess.run(
        [*command, "--runs-dir", str(tmp_path), "--data-dir", str(tmp_path), *debug],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert [line[:7] for line in done.stderr.splitlines()].count("error: ") == 1
    assert "none.npz" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_there_must_be_so_many_seeds(imgclf: Any, tmp_path: Path) -> None:
    answer = imgclf("train", "lenet_digits", "--set", "seed=4294967295", "--seeds", 2, "--runs-dir", tmp_path)
    assert answer.status == 2
    assert "from the seed 4294967295 on there are only 1" in answer.err
    assert list(tmp_path.iterdir()) == []
