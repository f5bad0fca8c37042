"""Runs that were cut off, and what `train --resume` makes of them."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imgclf
from imgclf.runs.folder import RunFolder
from imgclf.verify_resume import compare_runs, draw_kills

# Slow: real runs, a few seconds each.
pytestmark = pytest.mark.slow

SETTINGS = [
    "model.filters=[4,8]",
    "training.epochs=3",
    "training.checkpoint_every_steps=15",
    "training.tensorboard.graph=false",
]
SETS = [text for setting in SETTINGS for text in ("--set", setting)]


class Breaking:
    """A screen that breaks the run off at a step, as a power cut would: no checkpoint is written."""

    def __init__(self, step: int) -> None:
        self._step = step

    def say(self, text: str) -> None:
        pass

    def progress(self, what: str, done: int, *_: Any) -> None:
        if what == "training" and done >= self._step:
            raise KeyboardInterrupt

    def log_to(self, path: Path) -> None:
        pass


@pytest.fixture(scope="module")
def peaceful(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return imgclf.train("lenet_digits", overrides=SETTINGS, runs_dir=tmp_path_factory.mktemp("peace")).run


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was broken off in the middle of its second epoch, after step 65; an epoch has 40."""
    runs = tmp_path_factory.mktemp("broken")
    with pytest.raises(KeyboardInterrupt):
        imgclf.train("lenet_digits", overrides=SETTINGS, runs_dir=runs, screen=Breaking(65))
    return next(runs.iterdir())


@pytest.fixture
def cut_off(broken: Path, tmp_path: Path) -> Path:
    """A copy of that run."""
    return Path(shutil.copytree(broken, tmp_path / "runs" / broken.name))


def said(run: Path) -> str:
    return (run / "log.txt").read_text()


def scalar_steps(run: Path) -> list[int]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(run / "tensorboard" / "train"))
    log.Reload()
    return [event.step for event in log.Tensors("loss")]


def test_a_run_that_was_broken_off_ends_as_one_that_was_not(peaceful: Any, cut_off: Path) -> None:
    started = json.loads((cut_off / "run.json").read_text())["started"]
    resumed = imgclf.train(resume=cut_off).run
    assert "resumes after step 60\n" in said(cut_off)
    assert [(one.what, one.difference) for one in compare_runs(peaceful, resumed) if one.difference] == []
    assert (peaceful.path / "report.json").read_bytes() == (cut_off / "report.json").read_bytes()
    record = resumed.record()
    assert (record["status"], record["started"]) == ("finished", started)
    assert [one["step"] for one in record["resumes"]] == [60]
    assert scalar_steps(cut_off) == [40, 80, 120]


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(peaceful: Any, cut_off: Path) -> None:
    with (cut_off / "checkpoints" / "step-00000060" / "arrays.bin").open("r+b") as file:
        file.write(b"\0\0\0\0")
    resumed = imgclf.train(resume=cut_off).run
    assert "resumes after step 45\n" in said(cut_off)
    assert (cut_off / "checkpoints" / "step-00000060-damaged").is_dir()
    assert all(one.difference is None for one in compare_runs(peaceful, resumed))
    assert scalar_steps(cut_off) == [40, 80, 120]


def test_where_all_checkpoints_are_damaged_the_run_is_left_as_it_is(imgclf: Any, cut_off: Path) -> None:
    kept = {name: (cut_off / name).read_bytes() for name in ("metrics.csv", "weights/best.weights.h5")}
    for arrays in (cut_off / "checkpoints").glob("*/arrays.bin"):
        arrays.write_bytes(b"")
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        left = cut_off / f".imgclf-{gone.pid}-abcdefgh.metrics.csv"
    left.write_text("what a killed process left")
    for _ in range(2):
        answer = imgclf("train", "--resume", cut_off)
        assert answer.status == 2
        assert "all checkpoints are damaged" in answer.err
        assert f"hint: a new run from the start: imgclf train {cut_off / 'experiment.yaml'}" in answer.err
        assert {name: (cut_off / name).read_bytes() for name in kept} == kept
    assert said(cut_off).count("is damaged and not used") == 2
    assert not left.exists()


@pytest.mark.parametrize("record", ["as it was killed", "as it was interrupted"])
def test_a_run_whose_checkpoints_are_gone_is_left_as_it_is(imgclf: Any, cut_off: Path, record: str) -> None:
    if record == "as it was killed":
        entries = json.loads((cut_off / "run.json").read_text()) | {"checkpoints": {"written": 1, "seconds": 0.0}}
        (cut_off / "run.json").write_text(json.dumps(entries | {"status": "running"}))
    kept = {name: (cut_off / name).read_bytes() for name in ("metrics.csv", "weights/best.weights.h5")}
    for checkpoint in (cut_off / "checkpoints").iterdir():
        shutil.rmtree(checkpoint)
    for state in ("empty", "missing"):
        answer = imgclf("train", "--resume", cut_off)
        assert answer.status == 2
        assert f"{cut_off / 'checkpoints'}: must hold a checkpoint to go on from; it is {state}" in answer.err
        assert f"hint: a new run from the start: imgclf train {cut_off / 'experiment.yaml'}" in answer.err
        assert {name: (cut_off / name).read_bytes() for name in kept} == kept
        shutil.rmtree(cut_off / "checkpoints", ignore_errors=True)


@pytest.mark.parametrize("measured", [False, True])
def test_a_run_that_was_cut_off_before_its_first_checkpoint_was_whole_begins_anew(
    peaceful: Any, tmp_path: Path, measured: bool
) -> None:
    with pytest.raises(KeyboardInterrupt):
        imgclf.train("lenet_digits", overrides=SETTINGS, runs_dir=tmp_path, screen=Breaking(10))
    (cut_off,) = tmp_path.iterdir()
    if measured:
        (cut_off / "metrics.csv").write_text("".join(peaceful.metrics.read_text().splitlines(keepends=True)[:2]))
        (cut_off / "checkpoints" / ".step-00000010").mkdir(parents=True)
    resumed = imgclf.train(resume=cut_off).run
    assert "resumes from the start" in said(cut_off)
    assert all(one.difference is None for one in compare_runs(peaceful, resumed))
    assert scalar_steps(cut_off) == [40, 80, 120]


def test_a_changed_experiment_is_refused_key_by_key_with_both_values(imgclf: Any, cut_off: Path) -> None:
    before = (cut_off / "experiment.yaml").read_bytes()
    changes = ["training.batch_size=16", "seed=3", "training.optimizer={name: sgd}", "training.epochs=2"]
    answer = imgclf("train", "--resume", cut_off, *(text for one in changes for text in ("--set", one)))
    assert answer.status == 2
    assert "training.batch_size: 32 became 16" in answer.err
    assert "seed: 0 became 3" in answer.err
    assert 'training.optimizer.name: "adam" became "sgd"' in answer.err
    assert "training.epochs: 3 became 2" in answer.err
    assert (cut_off / "experiment.yaml").read_bytes() == before


@pytest.mark.parametrize("option", ["--name", "--seeds"])
def test_options_of_a_new_run_are_refused(imgclf: Any, cut_off: Path, option: str) -> None:
    assert imgclf("train", "--resume", cut_off, option, 2).status == 2


def test_a_finished_run_can_be_made_longer_and_only_that(imgclf: Any, peaceful: Any, tmp_path: Path) -> None:
    run = shutil.copytree(peaceful.path, tmp_path / "run")
    refused = imgclf("train", "--resume", run)
    assert (refused.status, "is finished" in refused.err) == (2, True)
    changes = ["--set", "training.epochs=4", "--set", "training.tensorboard.scalars=false"]
    assert imgclf("train", "lenet_digits", *SETS, *changes, "--resume", run).status == 0
    rows = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == ["40", "80", "120", "160"]
    assert imgclf("train", "lenet_digits", *SETS, *changes, "--runs-dir", tmp_path / "runs").status == 0
    long = next((tmp_path / "runs").iterdir())
    assert (long / "metrics.csv").read_bytes() == (run / "metrics.csv").read_bytes()
    assert (long / "report.json").read_bytes() == (run / "report.json").read_bytes()


def test_other_images_than_the_run_began_with_are_refused(imgclf: Any, cut_off: Path) -> None:
    record = json.loads((cut_off / "run.json").read_text())
    record["data"]["fingerprint"] = "0" * 8
    (cut_off / "run.json").write_text(json.dumps(record))
    answer = imgclf("train", "--resume", cut_off)
    assert answer.status == 2
    assert "must go on with the images that it began with" in answer.err


def test_latest_is_the_newest_run_that_is_not_finished(imgclf: Any, cut_off: Path) -> None:
    assert imgclf("train", "--resume", "latest", "--runs-dir", cut_off.parent).status == 0
    assert json.loads((cut_off / "run.json").read_text())["status"] == "finished"
    answer = imgclf("train", "--resume", "latest", "--runs-dir", cut_off.parent)
    assert (answer.status, "no unfinished run" in answer.err) == (2, True)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_writes_a_checkpoint_and_prints_how_to_go_on(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "imgclf", "train", "lenet_digits", *SETS, "--set", "training.epochs=5000"]
    with subprocess.Popen(
        [*command, "--runs-dir", str(tmp_path)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("epoch 1:"):
                process.send_signal(number)
    run = next(tmp_path.iterdir())
    assert process.returncode == status
    assert f"go on with: imgclf train --resume {run}\n" in lines
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    assert any((run / "checkpoints").iterdir())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            "model: lenet\ntraining: {stages: [{batch_size: 5000}, {batch_size: 6000}]}",
            "a batch of 5000 is larger; set it to 1294 or less: a step is made of whole batches\nerror: ",
        ),
        ("model: {name: lenet, head: svm}", "the head svm is fitted at once: there is nothing to go on with"),
        # The earlier run is looked for where runs lie, not in the folder of the two trainings.
        ("model: {name: transfer, run: RUN, cut: nosuch}", "expected a layer of the lenet of /"),
    ],
)
def test_verify_resume_tells_wrong_input_as_train_does_and_leaves_nothing(
    wrong: str, message: str, imgclf: Any, peaceful: Any, tmp_path: Path
) -> None:
    config, runs = tmp_path / "mine.yaml", peaceful.path.parent
    config.write_text(f"dataset: digits\n{wrong.replace('RUN', peaceful.name)}\n")
    before = sorted(runs.iterdir())
    answer = imgclf("verify-resume", config, "--kills", 1, "--runs-dir", runs)
    assert answer.status == 2
    assert message in answer.err
    assert sorted(runs.iterdir()) == before


def test_verify_resume_finds_a_run_that_was_killed_three_times_the_same(imgclf: Any, tmp_path: Path) -> None:
    quick = ["--set", "model.filters=[2]", "--set", "model.dense_units=[8]", "--set", "training.epochs=2"]
    answer = imgclf("verify-resume", "lenet_digits", "--kills", 3, *quick, "--runs-dir", tmp_path)
    assert answer.status == 0, answer.err
    assert "killed 3 times in 80 steps and resumed: the same, bit for bit" in answer.out
    assert "weights/last.weights.h5" in answer.out
    assert list(tmp_path.iterdir()) == []


def test_a_difference_is_found_wherever_it_is(peaceful: Any, tmp_path: Path) -> None:
    import h5py

    from imgclf.runs.folder import RunFolder

    other = RunFolder(Path(shutil.copytree(peaceful.path, tmp_path / "other")))
    assert [one.difference for one in compare_runs(peaceful, other) if one.difference] == []
    other.metrics.write_text(other.metrics.read_text() + " ")
    with h5py.File(other.last_weights, "r+") as file:
        kernel = file["layers/conv2d/vars/0"]
        kernel[0, 0, 0, 0] = np.nextafter(kernel[0, 0, 0, 0], np.float32(2))
    differing = {one.what: one.difference for one in compare_runs(peaceful, other) if one.difference}
    assert differing.keys() == {"metrics.csv", "weights/last.weights.h5"}
    assert "layers/conv2d/vars/0" in str(differing["weights/last.weights.h5"])


def test_kills_are_the_same_for_a_seed_at_rising_steps_and_half_of_them_in_checkpoints() -> None:
    kills = draw_kills(10, 200, seed=1)
    assert kills == draw_kills(10, 200, seed=1)
    assert [kill.step for kill in kills] == sorted({kill.step for kill in kills})
    assert all(1 <= kill.step < 200 for kill in kills)
    assert sum(kill.arrays is not None for kill in kills) == 5
    assert len(draw_kills(10, 4, seed=1)) == 3


@pytest.fixture(scope="module")
def transfers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an earlier run, one that builds on it in two stages, and the same broken off in the first one."""
    runs = tmp_path_factory.mktemp("transfers")
    first = ["model.filters=[4,8]", "training.epochs=2"]
    earlier = imgclf.train("lenet_digits", overrides=first, runs_dir=runs, name="earlier").run.path
    stages = "training.stages=[{trainable: head, epochs: 2}, {trainable: all, epochs: 1}]"
    changed = [f"model={{name: transfer, run: {earlier}}}", stages, "training.checkpoint_every_steps=15"]
    imgclf.train("lenet_digits", overrides=changed, runs_dir=runs, name="peaceful")
    with pytest.raises(KeyboardInterrupt):
        imgclf.train("lenet_digits", overrides=changed, runs_dir=runs, name="cut_off", screen=Breaking(50))
    return runs


@pytest.mark.parametrize("change", ["gone", "other weights"])
def test_a_transfer_goes_on_whatever_became_of_the_earlier_run(change: str, transfers: Path, tmp_path: Path) -> None:
    runs = Path(shutil.copytree(transfers, tmp_path / "runs"))
    aside = transfers.with_name("aside")
    (earlier,) = transfers.glob("earlier-*")
    earlier.rename(aside)
    try:
        if change == "other weights":
            shutil.copytree(aside, earlier)
            weights = earlier / "weights" / "last.weights.h5"
            shutil.copyfile(next(runs.glob("peaceful-*")) / "weights" / "last.weights.h5", weights)
        (cut_off,), (peaceful,) = runs.glob("cut_off-*"), runs.glob("peaceful-*")
        resumed = imgclf.train(resume=cut_off).run
    finally:
        shutil.rmtree(earlier, ignore_errors=True)
        aside.rename(earlier)
    assert [(one.what, one.difference) for one in compare_runs(RunFolder(peaceful), resumed) if one.difference] == []
    assert "resumes after step 45" in said(cut_off)


def test_a_run_made_longer_says_where_its_schedule_is_no_longer_that_of_one_that_was_long(
    peaceful: Any, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    short = imgclf.train("lenet_digits", overrides=[*SETTINGS, "training.schedule=cosine"], runs_dir=runs).run
    imgclf.train(resume=short.path, overrides=["training.epochs=4"])
    assert "made longer: its cosine schedule is that of the new length from here on" in said(short.path)
    copy = shutil.copytree(peaceful.path, tmp_path / "plain")
    imgclf.train(resume=copy, overrides=["training.epochs=4"])
    assert "made longer" not in said(copy)
