"""Data with two label columns, from training to prediction, as its user has it."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, log_loss

import imgclf as program
from imgclf.errors import ImgclfError
from imgclf.evaluation.json_schemas import PREDICTIONS_SCHEMA, REPORT_SCHEMA
from imgclf.models.heads import head_name

pytestmark = pytest.mark.slow  # all of them stand on two networks that are really trained

Imgclf = Callable[..., Any]

COLOURS = {"blue": (40, 60, 220), "green": (30, 160, 60), "red": (220, 40, 40)}
SHAPES = ("disc", "square")
SHAPE = "shape of it/2"  # a column's name may be anything: neither files nor layers can have this one
CLASSES = {"colour": list(COLOURS), SHAPE: list(SHAPES)}
CONFIG = """
dataset:
  name: image_folder
  path: {folder}
  csv: labels.csv
  label_columns: [colour, "shape of it/2"]
  split_column: split
preprocessing:
  size: 20
model:
  name: lenet
  filters: [8, 16]
  dense_units: [32]
training:
  epochs: 15
  batch_size: 8
  class_weight: balanced
  tensorboard: {{graph: false, projector: true}}
"""


def draw(colour: str, shape: str, numbers: np.random.Generator) -> Image.Image:
    """A shape somewhere on white."""
    picture = Image.new("RGB", (24, 24), "white")
    left, top = (int(place) for place in numbers.integers(1, 9, 2))
    pen = ImageDraw.Draw(picture)
    (pen.ellipse if shape == "disc" else pen.rectangle)((left, top, left + 12, top + 12), fill=COLOURS[colour])
    return picture


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment on 96 pictures, of which 24 are set aside for the test and 12 for validation."""
    folder = tmp_path_factory.mktemp("shapes")
    numbers = np.random.default_rng(0)
    rows = []
    for number in range(96):
        colour, shape = list(COLOURS)[number % 3], SHAPES[number // 3 % 2]
        draw(colour, shape, numbers).save(folder / f"{number}.png")
        split = "test" if number < 24 else "validation" if number < 36 else "train"
        rows.append([f"{number}.png", colour, shape, split])
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["file", "colour", SHAPE, "split"], *rows])
    (folder / "shapes.yaml").write_text(CONFIG.format(folder=folder))
    return folder / "shapes.yaml"


@pytest.fixture(scope="module")
def runs(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of two runs, ``good`` and the ``hasty`` one of a single epoch."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("IMGCLF_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        for name, overrides in (("good", ()), ("hasty", ("training.epochs=1", "training.tensorboard.scalars=false"))):
            made = program.train(config, overrides=overrides, name=name, runs_dir=folder).run.path
            made.rename(folder / name)
        yield folder


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def answers(run: Path, part: str) -> list[dict[str, str]]:
    with (run / f"answers-{part}.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_report_is_that_of_each_target_and_of_both(runs: Path) -> None:
    report = read(runs / "good" / "report.json")
    jsonschema.validate(report, REPORT_SCHEMA)
    right = []
    for name, part in (("colour", "colour"), (SHAPE, "shape_of_it_2")):
        rows = answers(runs / "good", part)
        true, predicted = ([int(row[key]) for row in rows] for key in ("label", "predicted"))
        assert true == [CLASSES[name].index(_label(number, name)) for number in range(24)]
        assert report["targets"][name]["accuracy"] == accuracy_score(true, predicted)
        assert report["targets"][name]["class_names"] == CLASSES[name]
        right.append(np.equal(true, predicted))
    assert report["targets"]["colour"]["accuracy"] > 0.6  # chance is a third
    assert report["accuracy"] == pytest.approx(np.mean(right))
    assert report["exact_match_ratio"] == np.mean(right[0] & right[1])
    interval = binomtest(int(np.sum(right[0] & right[1])), 24).proportion_ci(method="wilson")
    assert report["exact_match_interval"] == pytest.approx([interval.low, interval.high])
    assert report["loss"] == pytest.approx(sum(one["loss"] for one in report["targets"].values()))
    record = read(runs / "good" / "run.json")
    assert record["accuracy"] == report["accuracy"]
    assert [target["name"] for target in record["data"]["targets"]] == list(CLASSES)


def _label(number: int, target: str) -> str:
    return list(COLOURS)[number % 3] if target == "colour" else SHAPES[number // 3 % 2]


def test_each_target_has_pictures_of_its_own(runs: Path) -> None:
    kinds = ("confusion", "mistakes", "reliability")
    own = {f"{kind}-{part}.png" for kind in kinds for part in ("colour", "shape_of_it_2")}
    own |= {f"{kind}-shape_of_it_2.png" for kind in ("roc", "precision_recall")}  # of two classes only
    assert {path.name for path in (runs / "good" / "plots").iterdir()} == own | {"samples.png", "curves.png"}


def test_evaluate_repeats_the_report_and_prints_each_target_under_its_name(imgclf: Imgclf, runs: Path) -> None:
    written = read(runs / "good" / "report.json")
    answer = imgclf("evaluate", runs / "good", "--json")
    assert answer.status == 0, answer.err
    assert json.loads(answer.out) == written | {"run": "good"}
    assert read(runs / "good" / "report.json") == written
    shown = imgclf("evaluate", runs / "good", "--split", "validation", "--samples", 1)
    first, *blocks = re.split(r"\n\n(?=colour:\n|shape of it/2:\n)", shown.out)
    assert re.fullmatch(r"validation accuracy \d\.\d{4} \(mean over 2 targets\), all right .*, 12 images", first)
    for name, block in zip(CLASSES, blocks, strict=True):
        assert block.startswith(f"{name}:\nvalidation accuracy ")
        assert all(f"\n{class_name} " in block for class_name in CLASSES[name])
    assert (runs / "good" / "answers-shape_of_it_2-validation.csv").is_file()
    assert [path.name for path in (runs / "good" / "samples-validation").iterdir()] == ["001.png"]


def test_each_target_has_a_temperature_of_its_own(imgclf: Imgclf, runs: Path, config: Path, tmp_path: Path) -> None:
    run = shutil.copytree(runs / "hasty", tmp_path / "hasty")
    before, answer = read(run / "report.json"), imgclf("evaluate", run, "--calibrate", "--json")
    assert answer.status == 0, answer.err
    report, kept = json.loads(answer.out), read(run / "calibration.json")["targets"]
    jsonschema.validate(report, REPORT_SCHEMA)
    assert list(kept) == list(CLASSES)
    for name in CLASSES:
        assert f"temperature of {name} {kept[name]['temperature']:.3g}, fitted on 12 validation images" in answer.err
        assert report["targets"][name]["calibration"]["temperature"] == kept[name]["temperature"]
        assert report["targets"][name]["calibration"]["loss_before"] == before["targets"][name]["loss"]
    assert report["loss"] == pytest.approx(sum(one["loss"] for one in report["targets"].values()))
    said = imgclf("predict", config.parent / "0.png", "--run", run).err
    told = ", ".join(f"{kept[name]['temperature']:.3g} ({name})" for name in CLASSES)
    assert f"probabilities scaled by temperature {told}, fitted on validation" in said


def test_another_column_is_refused_by_its_name(imgclf: Imgclf, runs: Path, config: Path) -> None:
    table = config.parent / "labels.csv"
    text = table.read_text()
    try:
        table.write_text(text.replace("disc", "circle"))
        answer = imgclf("evaluate", runs / "good")
    finally:
        table.write_text(text)
    assert answer.status == 2
    assert f"the data's classes of {SHAPE} must be those of the run, disc, square; found circle, square" in answer.err


def test_a_missing_column_is_refused_by_its_name(imgclf: Imgclf, runs: Path, tmp_path: Path) -> None:
    run = shutil.copytree(runs / "hasty", tmp_path / "hasty")
    experiment = yaml.safe_load((run / "experiment.yaml").read_text())
    experiment["dataset"]["label_columns"] = ["colour"]
    (run / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    answer = imgclf("evaluate", run)
    assert answer.status == 2
    assert f"the data's targets must be those of the run, colour, {SHAPE}; found colour" in answer.err


def test_predictions_hold_each_target(imgclf: Imgclf, runs: Path, config: Path, tmp_path: Path) -> None:
    files = [config.parent / "0.png", tmp_path / "broken.png", config.parent / "5.png"]
    files[1].write_bytes(b"")
    answer = imgclf("predict", *files, "--run", runs / "good", "--json", "--top", 2)
    found = json.loads(answer.out)
    jsonschema.validate(found, PREDICTIONS_SCHEMA)
    assert found[1]["error"] == "empty file"
    assert [len(target["top"]) for target in found[0]["targets"].values()] == [2, 2]

    text = imgclf("predict", files[0], "--run", runs / "good").out.splitlines()
    assert text[0] == f"{files[0]}:"
    assert [line.split(": ")[0] for line in text[1:3]] == ["  colour", f"  {SHAPE}"]
    assert text[1].split(": ")[1].startswith(found[0]["targets"]["colour"]["label"] + " (")

    imgclf("predict", *files, "--run", runs / "good", "--csv", tmp_path / "table.csv", "--save", tmp_path / "saved")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text())))
    expected = [f"{name}.{one}" for name in CLASSES for one in ("label", "probability", *CLASSES[name])]
    assert list(rows[0]) == ["file", *expected, "steps", "error"]
    labels = [[row[f"{name}.label"] for name in CLASSES] for row in (rows[0], rows[2])]
    assert labels == [[target["label"] for target in entry["targets"].values()] for entry in (found[0], found[2])]
    assert sum(float(rows[0][f"colour.{name}"]) for name in COLOURS) == pytest.approx(1)
    assert {path.name for path in (tmp_path / "saved").iterdir()} == {
        f"{stem}-{'-'.join(both)}.png" for stem, both in zip(("0", "5"), labels, strict=True)
    }


def test_python_has_an_answer_for_each_target(runs: Path, config: Path) -> None:
    run = program.load_run(runs / "good")
    assert run.targets == {name: tuple(classes) for name, classes in CLASSES.items()}
    files = [config.parent / f"{number}.png" for number in range(24)]
    predictions = run.predict(files)
    for name in CLASSES:
        shares = np.array([one.targets[name].probabilities for one in predictions])
        true = [_label(number, name) for number in range(24)]
        assert log_loss(true, shares, labels=CLASSES[name]) == pytest.approx(
            run.report["targets"][name]["loss"], abs=1e-5
        )
    with pytest.raises(ImgclfError, match=r'2 targets.*prediction\.targets\["colour"\]'):
        _ = predictions[0].label
    with pytest.raises(ImgclfError, match=r'run\.targets\["colour"\]'):
        _ = run.class_names


def test_compare_tests_each_target(imgclf: Imgclf, runs: Path) -> None:
    answer = imgclf("runs", "compare", "good", "hasty", "--runs-dir", runs)
    assert answer.status == 0, answer.err
    _, results, end = answer.out.split("\n\n")
    assert [re.split("  +", line.strip())[0] for line in results.splitlines()[1:]] == [
        "good",
        *CLASSES,
        "hasty",
        *CLASSES,
    ]
    for name, part in (("colour", "colour"), (SHAPE, "shape_of_it_2")):
        right = [
            np.array([row["label"] == row["predicted"] for row in answers(runs / run, part)])
            for run in ("good", "hasty")
        ]
        counts = int(np.sum(right[0] & ~right[1])), int(np.sum(right[1] & ~right[0]))
        p = binomtest(counts[0], sum(counts), 0.5).pvalue if sum(counts) else 1.0
        assert (
            f"paired test of {name} (exact McNemar): right only in good: {counts[0]} images; "
            f"only in hasty: {counts[1]} images; p = {p:.3g}"
        ) in end


def test_list_and_show_have_the_mean(imgclf: Imgclf, runs: Path) -> None:
    report = read(runs / "good" / "report.json")
    listed = json.loads(imgclf("runs", "list", "--runs-dir", runs, "--json").out)
    assert {run["name"]: run["accuracy"] for run in listed}["good"] == report["accuracy"]
    shown = imgclf("runs", "show", "good", "--runs-dir", runs).out
    assert f"test accuracy {report['accuracy']:.4f} (mean over 2 targets)" in shown
    assert f"           {SHAPE}: test accuracy {report['targets'][SHAPE]['accuracy']:.4f} (95 % interval" in shown


def test_the_diagnosis_knows_the_mean_of_both_chances(runs: Path) -> None:
    assert f"the most frequent class alone would reach {(1 / 3 + 1 / 2) / 2:.3f}" in " ".join(
        read(runs / "good" / "run.json")["diagnosis"]["seen"]
    )


def test_the_projector_has_a_column_a_target(runs: Path) -> None:
    lines = (runs / "good" / "tensorboard" / "validation" / "labels.tsv").read_text().splitlines()
    assert lines[0].split("\t") == list(CLASSES)
    assert [line.split("\t") for line in lines[1:]] == [
        [_label(number, name) for name in CLASSES] for number in range(24, 36)
    ]


def test_weights_of_one_class_are_refused_for_two_targets(imgclf: Imgclf, config: Path) -> None:
    answer = imgclf("train", config, "--set", "training.class_weight=[1, 2, 3]")
    assert answer.status == 2
    assert (
        "training.class_weight: a list or a mapping is for one target, and the data has 2; take balanced" in answer.err
    )


def test_data_show_draws_each_target(imgclf: Imgclf, config: Path, tmp_path: Path) -> None:
    answer = imgclf("data", "show", config, "--save", tmp_path / "seen")
    assert answer.status == 0, answer.err
    pictures = {path.name for path in (tmp_path / "seen").iterdir()}
    assert pictures == {"classes-colour.png", "classes-shape_of_it_2.png", "samples.png"}


def test_layers_are_named_after_the_targets(runs: Path) -> None:
    import h5py

    assert head_name(SHAPE) == "logits_shape.20.of.20.it.2f.2"
    with h5py.File(runs / "good" / "weights" / "last.weights.h5") as file:
        names = {group["vars"].attrs.get("name") for group in file["layers"].values()}
    assert {head_name(name) for name in CLASSES} <= names


def test_a_head_that_is_never_wrong_keeps_its_outputs_and_the_others_get_their_temperature(
    runs: Path, config: Path, tmp_path: Path, imgclf: Imgclf
) -> None:
    run = shutil.copytree(runs / "good", tmp_path / "good")
    report = json.loads(imgclf("evaluate", run, "--split", "validation", "--json").out)
    perfect = [name for name in CLASSES if report["targets"][name]["accuracy"] == 1]
    assert len(perfect) == 1, "a network that is never wrong about one of both is what this test stands on"
    before = shares(run, config.parent / "0.png")
    answer = imgclf("evaluate", run, "--calibrate")
    assert answer.status == 0, answer.err
    (scaled,) = read(run / "calibration.json")["targets"].items()
    assert [scaled[0], *perfect] in ([*CLASSES], [*CLASSES][::-1])
    assert f"{perfect[0]} is not scaled: calibration: no temperature can be fitted where every answer is" in answer.err
    after = shares(run, config.parent / "0.png")
    np.testing.assert_array_equal(after[perfect[0]], before[perfect[0]])
    wanted = before[scaled[0]] ** (1 / scaled[1]["temperature"])
    np.testing.assert_allclose(after[scaled[0]], wanted / wanted.sum(), rtol=1e-4)


def test_heads_that_say_nothing_get_no_temperature_and_none_is_kept(runs: Path, tmp_path: Path, imgclf: Imgclf) -> None:
    import h5py

    run = shutil.copytree(runs / "good", tmp_path / "good")
    mute = Path(shutil.copy(run / "weights" / "last.weights.h5", run / "weights" / "mute.weights.h5"))
    with h5py.File(mute, "r+") as file:
        for group in file["layers"].values():
            if group["vars"].attrs.get("name") in {head_name(name) for name in CLASSES}:
                for number in group["vars"]:
                    group["vars"][number][...] = 0
    answer = imgclf("evaluate", "--weights", mute, "--calibrate")
    assert answer.status == 2
    assert "error: --calibrate: no target is left that a temperature could be fitted for" in answer.err
    for name in CLASSES:
        assert f"{name} is not scaled: calibration: no temperature can be fitted: on" in answer.err
    assert not (run / "calibration.json").exists()


def shares(run: Path, image: Path) -> dict[str, NDArray[np.float64]]:
    """The probabilities of an image, by target."""
    (found,) = program.load_run(run).predict([image])
    return {name: one.probabilities for name, one in found.targets.items()}
