"""`imgclf evaluate` as its users run it, on a run that was really trained."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest
from PIL import Image

from imgclf.evaluation.json_schemas import REPORT_SCHEMA
from imgclf.trained import find_source

if TYPE_CHECKING:
    from imgclf.train import TrainingResult

Imgclf = Callable[..., Any]


@pytest.fixture
def run(trained_run: TrainingResult, tmp_path: Path) -> Path:
    """A copy of the run, whose folder a test may change."""
    return shutil.copytree(trained_run.run.path, tmp_path / "elsewhere" / trained_run.run.name)


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def change_record(run: Path, **changes: Any) -> None:
    (run / "run.json").write_text(json.dumps(read(run / "run.json") | changes))


def files(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_the_json_is_the_report_with_the_runs_name(imgclf: Imgclf, run: Path) -> None:
    before = files(run)
    (run / "report.json").unlink()
    answer = imgclf("evaluate", run, "--json")
    assert answer.status == 0, answer.err
    printed, written = json.loads(answer.out), read(run / "report.json")
    jsonschema.validate(printed, REPORT_SCHEMA)
    jsonschema.validate(written, REPORT_SCHEMA)
    assert printed.pop("run") == run.name
    assert printed == written
    assert {name for name, content in files(run).items() if before[name] != content} == set()
    assert "\ndevice  " in answer.err
    assert f"report.json and pictures are in {run}" in answer.err


def test_another_split_has_files_of_its_own_and_samples_are_saved(imgclf: Imgclf, run: Path) -> None:
    before = files(run)
    answer = imgclf("evaluate", run, "--split", "validation", "--samples", 3)
    assert answer.status == 0, answer.err
    counts = read(run / "run.json")["data"]["images"]
    report = read(run / "report-validation.json")
    assert (report["split"], report["num_images"]) == ("validation", counts["validation"])
    assert f"validation accuracy {report['accuracy']:.4f}" in answer.out
    assert sorted(path.name for path in (run / "samples-validation").iterdir()) == ["001.png", "002.png", "003.png"]
    picture = np.asarray(Image.open(run / "samples-validation" / "001.png"))
    assert min(picture.shape[:2]) >= 280
    assert {name: content for name, content in files(run).items() if name in before} == before


def test_more_samples_than_images_are_said(imgclf: Imgclf, run: Path) -> None:
    experiment = (run / "experiment.yaml").read_text()
    (run / "experiment.yaml").write_text(re.sub("validation_size: .*", "validation_size: 12", experiment))
    answer = imgclf("evaluate", run, "--samples", 20, "--split", "validation")
    assert "--samples 20: the validation split has only 12 images" in answer.err
    assert len(list((run / "samples-validation").iterdir())) == 12


def test_other_weights_of_the_run_leave_its_report_alone(imgclf: Imgclf, run: Path) -> None:
    before = files(run)
    assert read(run / "report.json")["weights"] == "last.weights.h5"
    best = run / "weights" / "best.weights.h5"
    answer = imgclf("evaluate", "--weights", best, "--split", "validation", "--json")
    assert answer.status == 0, answer.err
    after = files(run)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {
        "report-validation-best.json",
        "answers-validation-best.csv",
        *(f"plots/{name}-validation-best.png" for name in ("confusion", "reliability", "samples", "mistakes")),
    }
    assert read(run / "report-validation-best.json")["weights"] == json.loads(answer.out)["weights"] == best.name


@pytest.mark.parametrize("reported", ["best", "last"])
def test_the_weights_that_a_run_reports_on_are_known_as_such(run: Path, reported: str) -> None:
    change_record(run, reported_weights=reported)
    for name in ("best", "last"):
        source = find_source(None, run / "weights" / f"{name}.weights.h5", None, Path())
        assert source.is_reported == (name == reported)
    assert find_source(str(run), None, None, Path()).is_reported


def test_other_data_are_warned_of_and_leave_the_report_alone(imgclf: Imgclf, run: Path) -> None:
    change_record(run, data=read(run / "run.json")["data"] | {"fingerprint": "0" * 64})
    before = files(run)
    answer = imgclf("evaluate", run, "--json")
    assert "warning: the training images are not those that this run was trained on" in answer.err
    assert {name: content for name, content in files(run).items() if name in before} == before
    report = read(run / "report-other-data.json")
    jsonschema.validate(report, REPORT_SCHEMA)
    assert report["warning"] == json.loads(answer.out)["warning"]
    assert report["warning"].startswith("the training images are not those")


@pytest.mark.parametrize("known", ["fingerprint", "count"])
def test_other_test_images_are_warned_of_and_leave_the_report_alone(known: str, imgclf: Imgclf, run: Path) -> None:
    data = read(run / "run.json")["data"]
    assert len(bytes.fromhex(data["test_fingerprint"])) == 32
    if known == "fingerprint":
        change_record(run, data=data | {"test_fingerprint": "0" * 64})
    else:  # a run of before fingerprints were kept
        del data["test_fingerprint"]
        change_record(run, data=data | {"images": data["images"] | {"test": 1}})
    before = files(run)
    answer = imgclf("evaluate", run, "--json")
    assert "warning: the test images are not those that this run was tested on" in answer.err
    assert {name: content for name, content in files(run).items() if name in before} == before
    assert read(run / "report-other-data.json")["warning"] == json.loads(answer.out)["warning"]
    assert imgclf("evaluate", run, "--split", "validation").err.count("warning") == 0


def test_a_run_of_a_gpu_and_of_more_threads_is_evaluated_here(imgclf: Imgclf, run: Path) -> None:
    experiment = (run / "experiment.yaml").read_text()
    here = read(run / "run.json")["devices"][0]
    there, device = ("gpu", "/device:GPU:0") if "CPU" in here else ("cpu", "/device:CPU:0")
    lines = [
        {"device": f"  device: {there}", "threads": "  threads: 61"}.get(line.split(":")[0].strip(), line)
        for line in experiment.splitlines()
    ]
    (run / "experiment.yaml").write_text("\n".join(lines) + "\n")
    assert f"device: {there}\n" in (run / "experiment.yaml").read_text()
    change_record(run, devices=[device])
    answer = imgclf("evaluate", run)
    assert answer.status == 0, answer.err
    assert f"trained on {there}, used on " in answer.err


def test_weights_outside_of_a_run_need_their_config_and_write_nothing(
    imgclf: Imgclf, run: Path, tmp_path: Path
) -> None:
    weights = Path(shutil.copy(run / "weights" / "last.weights.h5", tmp_path / "mine.weights.h5"))
    before = files(tmp_path)
    alone = imgclf("evaluate", "--weights", weights)
    assert (alone.status, "--config CONFIG" in alone.err) == (2, True)
    samples = imgclf("evaluate", "--weights", weights, "--config", "lenet_digits", "--samples", 3)
    assert samples.status == 2
    assert samples.err.startswith("error: --samples 3: needs a run folder")  # nothing was evaluated before
    answer = imgclf("evaluate", "--weights", weights, "--config", "lenet_digits", "--json")
    printed, report = json.loads(answer.out), read(run / "report.json")
    assert "run" not in printed
    assert printed == report | {"weights": "mine.weights.h5"}
    assert files(tmp_path) == before


def test_weights_and_data_of_other_classes_are_refused(imgclf: Imgclf, run: Path) -> None:
    weights = run / "weights" / "last.weights.h5"
    answer = imgclf("evaluate", "--weights", weights, "--config", "lenet_mnist")
    assert answer.status == 2
    assert "not the weights of this model" in answer.err
    data = read(run / "run.json")["data"]
    change_record(run, data=data | {"targets": [{"name": "label", "class_names": list("abcdefghij")}]})
    answer = imgclf("evaluate", run)
    assert answer.status == 2
    assert "the data's classes must be those of the run, a, b, c, d, e, f and 4 more; found 0, 1, 2" in answer.err


def test_an_interrupted_run_names_the_weights_that_it_has(imgclf: Imgclf, run: Path) -> None:
    (run / "weights" / "last.weights.h5").unlink()
    record = read(run / "run.json")
    del record["reported_weights"]
    (run / "run.json").write_text(json.dumps(record | {"status": "interrupted"}))
    answer = imgclf("evaluate", run)
    assert answer.status == 2
    assert "the run has no last.weights.h5; its status is interrupted" in answer.err
    best = run / "weights" / "best.weights.h5"
    assert f"--weights {best}" in answer.err
    best.unlink()
    assert "the run has no weights; its status is interrupted" in imgclf("evaluate", run).err
