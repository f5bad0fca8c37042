"""`imgclf evaluate --calibrate` and what follows from it, on a run that was really trained."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import jsonschema
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

import imgclf as program
from imgclf.evaluation.json_schemas import REPORT_SCHEMA

if TYPE_CHECKING:
    from imgclf.train import TrainingResult

Imgclf = Callable[..., Any]
IMAGES = (load_digits().images[:20] * 255 / 16).round().astype(np.uint8)
EVALUATES = pytest.mark.slow  # evaluates several times, each with all its pictures
SCALED = {"loss", "calibration_error", "calibration_bins", "calibration"}  # all that a temperature touches


@pytest.fixture
def run(trained_run: TrainingResult, tmp_path: Path) -> Path:
    """A copy of the run, whose folder a test may change."""
    return shutil.copytree(trained_run.run.path, tmp_path / trained_run.run.name)


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def change(path: Path, pattern: str, text: str) -> None:
    path.write_text(re.sub(pattern, text, path.read_text()))


def probabilities(run: Path) -> NDArray[np.float64]:
    return np.array([one.probabilities for one in program.load_run(run).predict(IMAGES)])


@EVALUATES
def test_a_temperature_is_kept_and_applied_by_what_comes_later(imgclf: Imgclf, run: Path, tmp_path: Path) -> None:
    before, shares = read(run / "report.json"), probabilities(run)
    answer = imgclf("evaluate", run, "--calibrate", "--json")
    assert answer.status == 0, answer.err
    after, kept = read(run / "report.json"), read(run / "calibration.json")
    jsonschema.validate(after, REPORT_SCHEMA)
    temperature = kept["targets"]["label"]["temperature"]
    assert f"temperature {temperature:.3g}, fitted on {kept['num_images']} validation images" in answer.err

    assert {name for name in after if after[name] != before.get(name)} <= SCALED
    assert (after["calibration"]["loss_before"], after["calibration"]["loss_after"]) == (before["loss"], after["loss"])
    assert after["calibration"]["temperature"] == temperature

    again = imgclf("evaluate", run)
    told = f"probabilities scaled by temperature {temperature:.3g}, fitted on validation"
    assert told in again.err
    assert f"before scaling by temperature {temperature:.3g}" in again.out
    assert read(run / "report.json") == after

    sharpened = shares ** (1 / temperature)
    np.testing.assert_allclose(probabilities(run), sharpened / sharpened.sum(axis=1, keepdims=True), rtol=1e-5)
    assert program.load_run(run).temperatures == {"label": temperature}
    Image.fromarray(IMAGES[0]).save(tmp_path / "digit.png")
    assert told in imgclf("predict", tmp_path / "digit.png", "--run", run).err


@EVALUATES
def test_calibration_json_says_what_was_fitted_on_what_for_which_weights(imgclf: Imgclf, run: Path) -> None:
    validation = json.loads(imgclf("evaluate", run, "--split", "validation", "--json").out)
    assert imgclf("evaluate", run, "--calibrate").status == 0
    kept = read(run / "calibration.json")
    weights = run / "weights" / kept["weights"]
    assert kept["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (kept["split"], kept["num_images"]) == ("validation", read(run / "run.json")["data"]["images"]["validation"])
    fitted = kept["targets"]["label"]
    assert fitted["loss_before"] == validation["loss"] > fitted["loss_after"]
    assert fitted["calibration_error_before"] == validation["calibration_error"]
    shown = imgclf("evaluate", run, "--split", "validation").out
    assert f"scaling by temperature {fitted['temperature']:.3g}, fitted on these very images" in shown


@EVALUATES
def test_other_weights_are_not_scaled_and_that_is_said(imgclf: Imgclf, run: Path) -> None:
    plain = read(run / "report.json")
    assert imgclf("evaluate", run, "--calibrate").status == 0
    kept = (run / "calibration.json").read_bytes()
    other = Path(shutil.copy(run / "weights" / "last.weights.h5", run / "weights" / "other.weights.h5"))
    with h5py.File(other, "r+") as file:
        bias = file["layers/dense/vars/1"]
        bias[...] = bias[...] + 0.01
    answer = imgclf("evaluate", "--weights", other, "--json")
    assert "probabilities not scaled: calibration.json is of other weights (last.weights.h5)" in answer.err
    assert "calibration" not in json.loads(answer.out)
    assert (run / "calibration.json").read_bytes() == kept

    replaced = imgclf("evaluate", "--weights", other, "--calibrate")
    assert "calibration.json, which was of other weights (last.weights.h5), is replaced" in replaced.err
    assert read(run / "calibration.json")["weights"] == "other.weights.h5"
    back = json.loads(imgclf("evaluate", run, "--json").out)
    assert back == plain | {"run": run.name}


def test_without_a_validation_split_or_a_run_it_is_refused_before_any_work(
    imgclf: Imgclf, run: Path, tmp_path: Path
) -> None:
    change(run / "experiment.yaml", "validation_size: .*", "validation_size: 0")
    answer = imgclf("evaluate", run, "--calibrate")
    assert answer.status == 2
    assert answer.err.startswith(
        "error: --calibrate: the run has no validation split to fit a temperature on (dataset.validation_size: 0)"
    )
    assert not (run / "calibration.json").exists()
    weights = shutil.copy(run / "weights" / "last.weights.h5", tmp_path / "mine.weights.h5")
    alone = imgclf("evaluate", "--weights", weights, "--config", "lenet_digits", "--calibrate")
    assert (alone.status, "--calibrate: needs a run folder" in alone.err) == (2, True)


def test_on_other_data_it_is_refused(imgclf: Imgclf, run: Path) -> None:
    record = read(run / "run.json")
    record["data"]["fingerprint"] = "0" * 64
    (run / "run.json").write_text(json.dumps(record))
    answer = imgclf("evaluate", run, "--calibrate")
    assert answer.status == 2
    assert "some of the validation images may have been" in answer.err
    assert not (run / "calibration.json").exists()


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ('"split"', '"part"', "must hold weights, weights_sha256, split, num_images, targets; got weights,"),
        ('"label"', '"colour"', "must be of the targets label; got colour"),
        ('"temperature": .*,', '"temperature": -1,', "label: the temperature must be a number greater than 0; got -1"),
        (
            '"temperature": .*,',
            '"temperature": NaN,',
            "label: the temperature must be a number greater than 0; got nan",
        ),
        (".*", "", "not readable as JSON"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused(
    imgclf: Imgclf, run: Path, pattern: str, text: str, found: str
) -> None:
    kept = {"weights": "last.weights.h5", "weights_sha256": "0", "split": "validation", "num_images": 3}
    content = json.dumps(kept | {"targets": {"label": {"temperature": 1.5}}}, indent=1).replace(
        "1.5", '1.5,\n  "loss_after": 1'
    )
    (run / "calibration.json").write_text(re.sub(pattern, text, content))
    answer = imgclf("evaluate", run)
    assert answer.status == 2
    assert f"{run / 'calibration.json'}: {found}" in answer.err
    assert f"hint: `imgclf evaluate {run} --calibrate` writes it anew" in answer.err


def test_what_the_hint_says_replaces_a_file_that_is_no_calibration(imgclf: Imgclf, run: Path) -> None:
    (run / "calibration.json").write_text('{"temperature": 1}')
    answer = imgclf("evaluate", run, "--calibrate")
    assert answer.status == 0, answer.err
    assert "calibration.json: must hold weights, weights_sha256" in answer.err
    assert "got temperature: replaced" in answer.err
    assert read(run / "calibration.json")["targets"]["label"]["temperature"] > 0
