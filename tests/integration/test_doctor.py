"""`imgclf doctor`: what it finds on this machine, and that it ends with status 1 where a run could not start."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow  # starts TensorFlow in a process of its own, and times a training step

Imgclf = Callable[..., Any]


def test_a_machine_that_can_train_is_described_in_a_table(
    imgclf: Imgclf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGCLF_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "data" / "quickdraw").mkdir(parents=True)
    np.save(tmp_path / "data" / "quickdraw" / "cat.npy", np.zeros((3, 784), np.uint8))
    (tmp_path / "data" / "weights").mkdir()
    (tmp_path / "data" / "weights" / "vgg16_imagenet_notop.h5").touch()
    (tmp_path / "data" / "photos").mkdir()
    (tmp_path / "random.py").write_text("raise SystemExit('a file of the user, which is no module')\n")
    monkeypatch.chdir(tmp_path)
    answer = imgclf("doctor", "--data-dir", tmp_path / "data", "--runs-dir", tmp_path / "runs")
    assert answer.status == 0, answer.out + answer.err
    lines = {" ".join(line.split()[:2]): line for line in answer.out.splitlines() if line}
    assert lines["version python"].endswith(platform.python_version())
    assert lines["version tensorflow"].endswith(metadata.version("tensorflow"))
    assert "starts and computes" in lines["computing TensorFlow"]
    assert lines["data quickdraw"].endswith("quickdraw: 1 classes")
    assert "photos" in lines["data others"]
    assert "vgg16_imagenet_notop.h5" in lines["data weights"]
    assert "not there yet, writable" in lines["folder runs"]
    assert answer.out.rstrip().endswith("nothing here would stop a run")
    assert not (tmp_path / "runs").exists()


def test_what_would_stop_a_run_is_named_with_status_1(
    imgclf: Imgclf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "site" / "rich-1.0.dist-info"
    old.mkdir(parents=True)
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: rich\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    (tmp_path / "data" / "mnist" / "train-labels-idx1-ubyte").touch()
    (tmp_path / "file").touch()
    answer = imgclf("doctor", "--data-dir", tmp_path / "data", "--runs-dir", tmp_path / "file" / "runs", "--json")
    assert answer.status == 1
    told = json.loads(answer.out)
    findings = {(one["topic"], one["name"]): one for one in told["findings"]}
    assert told["ok"] is False
    assert [name for (_, name), one in findings.items() if one["status"] == "stops"] == ["rich", "runs"]
    assert findings["version", "rich"]["found"] == "1.0, but >=14.0 is needed"
    assert "can't be written to" in findings["folder", "runs"]["found"]
    assert findings["data", "mnist"]["status"] == "note"
    step = findings["computing", "training step"]
    assert step["images_per_second"] == pytest.approx(128 / (step["milliseconds"] / 1000))
