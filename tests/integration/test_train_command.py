"""`imgclf train` as its users run it, each time in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow  # each is a process that imports TensorFlow, which takes seconds

TRAIN = [sys.executable, "-m", "imgclf", "train"]
BANNERS = ("oneDNN custom", "cudart", "cuInit", "absl::", "cpu_feature_guard", "rebuild TensorFlow")


def train(*arguments: str, runs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*TRAIN, *arguments, "--runs-dir", str(runs)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def piped(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    runs = tmp_path_factory.mktemp("runs") / "my runs"
    arguments = ("lenet_digits", "--set", "training.epochs=2", "--data-dir", str(runs.parent / "my data"))
    return train(*arguments, runs=runs), runs


def test_a_piped_run_prints_one_line_an_epoch_and_no_control_characters(
    piped: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, _ = piped
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stderr.splitlines() if line.startswith("epoch")] == [
        "epoch 1",
        "epoch 2",
    ]
    assert all(character.isprintable() or character == "\n" for character in done.stdout + done.stderr)


def test_nothing_of_tensorflows_banner_is_printed_but_all_of_it_is_in_the_log(
    piped: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, runs = piped
    log = next(runs.glob("*/log.txt")).read_text()
    assert not any(banner in done.stdout + done.stderr for banner in BANNERS)
    assert any(banner in log for banner in BANNERS)
    assert all(line in log for line in done.stderr.splitlines())


def test_results_and_the_commands_that_come_next_go_to_standard_output(
    piped: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, runs = piped
    run = next(runs.iterdir())
    accuracy = json.loads((run / "report.json").read_text())["accuracy"]
    assert f"test accuracy {accuracy:.4f}" in done.stdout
    assert "reference: measured with other settings" in done.stdout
    assert f"evaluate: imgclf evaluate '{run}' --data-dir '{runs.parent / 'my data'}'\n" in done.stdout
    assert f"predict:  imgclf predict image.png --run '{run}'\n" in done.stdout


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_so_and_ends_with_its_status(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    command = [*TRAIN, "lenet_digits", "--set", "training.epochs=5000", "--runs-dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            if line.startswith("epoch 1:"):
                process.send_signal(number)
    assert process.returncode == status
    assert "interrupted\n" not in seen
    run = next(tmp_path.iterdir())
    assert any(line.startswith(f"interrupted: {run} keeps the measurements so far") for line in seen)
    assert json.loads(next(tmp_path.glob("*/run.json")).read_text())["status"] == "interrupted"


def test_a_run_that_is_interrupted_while_it_computes_features_says_so_once(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0)
    images, labels = numbers.integers(0, 256, (20_000, 28, 28), np.uint8), np.arange(20_000) % 3
    np.savez(tmp_path / "arrays.npz", train_images=images, train_labels=labels)
    (tmp_path / "mine.yaml").write_text(
        f"dataset: {{name: npz, path: {tmp_path / 'arrays.npz'}, validation_size: 0.1, test_size: 0.1}}\n"
        "model: {name: lenet, filters: [64, 128]}\ntraining: {trainable: head, epochs: 1}\n"
    )
    command = [*TRAIN, str(tmp_path / "mine.yaml"), "--runs-dir", str(tmp_path / "runs")]
    where = os.environ | {"IMGCLF_CACHE_DIR": str(tmp_path / "cache")}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=where) as process:
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            if line.startswith("run     "):
                time.sleep(2)
                process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert [line.split(":")[0] for line in seen if line.startswith("interrupted")] == ["interrupted"]
    assert list((tmp_path / "cache" / "features").iterdir()) == []


def test_mistakes_are_told_before_anything_is_written(tmp_path: Path) -> None:
    done = train("lenet_digits", "--set", "training.epochs=none", "--set", "model.fliters=[3]", runs=tmp_path / "runs")
    assert done.returncode == 2
    assert done.stderr.count("error:") == 2
    assert 'did you mean "filters"?' in done.stderr
    assert not (tmp_path / "runs").exists()


def test_asking_for_a_gpu_where_there_is_none_is_an_error_that_says_what_is_missing(tmp_path: Path) -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    done = train("lenet_digits", "--device", "gpu", runs=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: device gpu: TensorFlow sees no GPU")
    assert list(tmp_path.iterdir()) == []
