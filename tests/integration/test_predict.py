"""`imgclf predict` on real files, with a model that was really trained."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from imgclf.cli import app
from imgclf.datasets.base import ArrayPixels, DataPlaces
from imgclf.datasets.digits import Digits
from imgclf.datasets.pixels.shaped import shaped
from imgclf.errors import ImgclfError
from imgclf.evaluate import evaluate_split
from imgclf.evaluation.json_schemas import PREDICTIONS_SCHEMA
from imgclf.evaluation.metrics import probabilities
from imgclf.loading import loading_once
from imgclf.predict import FileResult, Prediction, predict, predict_files
from imgclf.screen import Silent
from imgclf.trained import Trained, find_source, open_trained

if TYPE_CHECKING:
    from imgclf.train import TrainingResult

PLACES = DataPlaces(Path("no-data"))


@pytest.fixture(scope="module")
def trained(trained_run: TrainingResult) -> Trained:
    source = find_source(str(trained_run.run.path), None, None, Path())
    return open_trained(source, None, loading_once(source.experiment, None, Silent()), Silent())


@pytest.fixture(scope="module")
def digits() -> tuple[NDArray[np.uint8], list[str]]:
    """The images of scikit-learn as uint8 (images, 8, 8), white on black, and their classes."""
    bunch = load_digits()
    return np.rint(bunch.images * (255 / 16)).astype(np.uint8), [str(label) for label in bunch.target]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits: tuple[NDArray[np.uint8], list[str]]) -> Path:
    """The working directory, with zero.png and one.png in it: the first two images, which show these digits."""
    monkeypatch.chdir(tmp_path)
    for image, name in zip(digits[0], ("zero", "one"), strict=False):
        Image.fromarray(image).save(f"{name}.png")
    return tmp_path


def drawing(image: NDArray[np.uint8]) -> Image.Image:
    """An image of the data set as somebody would draw it: dark on white, many times larger, with a margin."""
    ink = Image.fromarray(255 - image).resize((160, 160), Image.Resampling.BICUBIC)
    paper = Image.new("L", (240, 240), 255)
    paper.paste(ink, (40, 40))
    return paper


class Lines(Silent):
    """A screen that keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def command(run: TrainingResult, *arguments: str) -> int:
    """The exit status of `imgclf predict`; what is wrong with the input is raised."""
    answer = app(["predict", *arguments, "--runs-dir", str(run.run.path.parent)], standalone_mode=False)
    return answer or 0


def predictions(results: list[FileResult]) -> list[Prediction]:
    assert [result.error for result in results if result.error] == []
    return [result.prediction for result in results if result.prediction]


def test_an_exported_test_image_gets_the_probabilities_of_the_evaluation(
    trained: Trained, trained_run: TrainingResult, tmp_path: Path
) -> None:
    splits = Digits(name="digits").load(PLACES, seed=0)
    test = splits.load_test()
    files = [tmp_path / f"{number}.png" for number in range(len(test))]
    for file, image in zip(files, test.pixels.take(np.arange(len(test))), strict=True):
        Image.fromarray(image[..., 0]).save(file)
    found = predictions(list(predict_files(files, trained)))
    expected = evaluate_split(trained.forward, splits, "test", trained.fit).targets[0].probabilities
    np.testing.assert_allclose([one.probabilities for one in found], expected, rtol=1e-5, atol=1e-6)
    assert {one.steps for one in found} == {()}
    right = [one.label == str(label) for one, label in zip(found, test.labels[:, 0], strict=True)]
    assert np.mean(right) == trained_run.report["accuracy"]


def test_drawings_in_dark_ink_are_recognised(
    trained: Trained, digits: tuple[NDArray[np.uint8], list[str]], tmp_path: Path
) -> None:
    images, labels = digits[0][1000:1030], digits[1][1000:1030]
    files = [tmp_path / f"{number}.png" for number in range(len(images))]
    for file, image in zip(files, images, strict=True):
        drawing(image).save(file)
    prepared = predictions(list(predict_files(files, trained)))
    assert np.mean([one.label == label for one, label in zip(prepared, labels, strict=True)]) > 0.8
    for one in prepared:
        assert one.steps[0] == "inverted: dark ink on a light ground"
        assert one.steps[-2:] == ("scaled to fit 8x8", "centred by its box")
    as_they_are = predictions(list(predict_files(files, trained, as_is=True)))
    assert np.mean([one.label == label for one, label in zip(as_they_are, labels, strict=True)]) < 0.5
    assert {one.steps for one in as_they_are} == {("resized from 240x240 to 8x8",)}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("ending", "options"),
    [("png", {}), ("bmp", {}), ("webp", {"lossless": True}), ("tiff", {}), ("gif", {}), ("jpg", {"quality": 100})],
)
def test_every_format_is_read(trained: Trained, ending: str, options: dict[str, int]) -> None:
    Image.open("zero.png").save(f"same.{ending}", **options)
    original, same = predictions(list(predict_files([Path("zero.png"), Path(f"same.{ending}")], trained)))
    assert (same.label, same.steps) == ("0", ())
    np.testing.assert_allclose(same.probabilities, original.probabilities, atol=0.05 if ending == "jpg" else 1e-6)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("rule", "steps"),
    [
        ("squash", ("resized from 40x20 to 8x8",)),
        ("crop", ("cropped from 40x20 to 20x20", "resized from 20x20 to 8x8")),
        ("pad", ("resized from 40x20 to 8x4", "padded from 8x4 to 8x8")),
    ],
)
def test_a_file_is_fitted_as_training_images_are_and_it_is_said(
    trained: Trained, rule: str, steps: tuple[str, ...]
) -> None:
    experiment = trained.source.experiment
    preprocessing = experiment.preprocessing.model_copy(update={"resize": rule, "background": (10, 20, 30)})
    changed = experiment.model_copy(update={"preprocessing": preprocessing})
    other = replace(trained, source=replace(trained.source, experiment=changed))
    pixels = np.asarray(Image.open("zero.png").resize((40, 20)))
    Image.fromarray(pixels).save("wide.png")
    (found,) = predictions(list(predict_files([Path("wide.png")], other, as_is=True)))
    assert found.steps == steps
    as_trained = shaped(ArrayPixels(pixels[np.newaxis, ..., np.newaxis]), other.fit)
    expected = probabilities(other.forward.logits(as_trained)[0])
    np.testing.assert_allclose(found.probabilities, expected[0], atol=1e-6)


@pytest.mark.usefixtures("here")
def test_results_keep_the_order_of_the_files_over_several_batches(trained: Trained) -> None:
    Path("broken.png").write_bytes(Path("one.png").read_bytes()[:60])
    files = [Path("zero.png"), Path("broken.png"), Path("one.png")] * 100
    results = list(predict_files(files, trained))
    assert [result.file for result in results] == files
    assert [result.prediction and result.prediction.label for result in results] == ["0", None, "1"] * 100


@pytest.mark.usefixtures("here")
def test_colours_become_grey_and_it_is_said(trained: Trained) -> None:
    grey = np.asarray(Image.open("zero.png"))
    Image.fromarray(np.stack([grey, grey, grey // 2], axis=2)).save("yellow.png")
    (found,) = predictions(list(predict_files([Path("yellow.png")], trained)))
    assert (found.label, found.steps) == ("0", ("colour to grey",))


def test_a_run_on_data_without_ink_only_resizes(trained_run: TrainingResult, here: Path) -> None:
    run = here / "run"
    shutil.copytree(trained_run.run.path, run)
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"ink": None}))
    drawing(np.asarray(Image.open("zero.png"))).save("drawing.png")
    (result,) = predict(["drawing.png"], run=str(run)).results
    assert result.prediction
    assert result.prediction.steps == ("resized from 240x240 to 8x8",)


@pytest.mark.usefixtures("here")
def test_weights_outside_a_run_predict_as_in_it(trained_run: TrainingResult) -> None:
    shutil.copy(trained_run.run.last_weights, "mine.weights.h5")
    inside = predict(["zero.png"], run=str(trained_run.run.path))
    screen = Lines()
    outside = predict(["zero.png"], weights="mine.weights.h5", config="lenet_digits", screen=screen)
    assert screen.lines[0] == "predicting with mine.weights.h5"
    assert "drawings are just resized" in screen.lines[2]
    assert screen.lines[1].startswith("device  ")
    assert outside.targets == inside.targets
    assert outside.results[0].to_json() == inside.results[0].to_json()


@pytest.mark.usefixtures("here")
def test_the_command_prints_one_line_a_file_and_names_what_it_left_out(
    trained_run: TrainingResult, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("notes.txt").write_text("not a picture")
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    drawing(np.asarray(Image.open("zero.png"))).save("zzz.png")
    assert command(trained_run, ".") == 1
    shown = capfd.readouterr()
    lines = shown.out.splitlines()
    assert [line.split(" (")[0] for line in lines[:2]] == ["one.png: 1", "zero.png: 0"]
    assert lines[2].startswith("zzz.png: ")
    assert lines[3].startswith("  inverted: dark ink on a light ground; ")
    assert len(lines) == 4
    assert "skipped: notes.txt: " in shown.err
    assert f"{trained_run.run.last_weights}, of the newest finished run" in shown.err
    assert "error: broken.png: " in shown.err
    assert shown.err.endswith("1 of 4 files could not be read\n")


@pytest.mark.usefixtures("here")
def test_the_json_is_what_the_schema_says(trained_run: TrainingResult, capfd: pytest.CaptureFixture[str]) -> None:
    Path("broken.png").write_bytes(b"")
    assert command(trained_run, "zero.png", "broken.png", "--json", "--top", "2") == 1
    answer = json.loads(capfd.readouterr().out)
    jsonschema.validate(answer, PREDICTIONS_SCHEMA)
    assert [entry["file"] for entry in answer] == ["zero.png", "broken.png"]
    assert answer[0]["label"] == answer[0]["top"][0]["label"] == "0"
    assert len(answer[0]["top"]) == 2
    assert answer[1] == {"file": "broken.png", "error": "empty file"}


@pytest.mark.usefixtures("here")
def test_the_other_files_are_labelled_where_one_is_missing(
    trained_run: TrainingResult, capfd: pytest.CaptureFixture[str]
) -> None:
    assert command(trained_run, "zero.png", "missing.png", "one.png") == 1
    shown = capfd.readouterr()
    assert [line.split(" (")[0] for line in shown.out.splitlines()] == ["zero.png: 0", "one.png: 1"]
    assert "error: missing.png: cannot be opened: No such file or directory\n" in shown.err
    assert shown.err.endswith("1 of 3 files could not be read\n")


def test_folders_that_are_made_for_a_table_or_pictures_are_told(
    trained_run: TrainingResult, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["one.png", "--csv", "new/deep/table.csv", "--save", "pictures"]
    assert command(trained_run, *arguments) == 0
    told = capfd.readouterr().err
    assert "the table is in new/deep/table.csv; the folder new/deep is new\n" in told
    assert "labelled images are in pictures; the folder pictures is new\n" in told
    assert (here / "new" / "deep" / "table.csv").is_file()
    assert command(trained_run, *arguments) == 0
    assert "is new" not in capfd.readouterr().err


def test_the_table_has_a_column_a_class_and_no_formulas(
    trained_run: TrainingResult, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("zero.png").rename("=1+1.png")
    Path("broken.png").write_bytes(b"")
    Image.fromarray(np.asarray(Image.open("one.png")).repeat(5, axis=0).repeat(5, axis=1)).save("one.png")
    assert command(trained_run, "=1+1.png", "one.png", "broken.png", "--csv", "out/table.csv") == 1
    assert capfd.readouterr().out == ""
    text = (here / "out" / "table.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["file", "label", "probability", *"0123456789", "steps", "error"]
    assert [(row["file"], row["label"]) for row in rows] == [("'=1+1.png", "0"), ("one.png", "1"), ("broken.png", "")]
    assert sum(float(rows[0][digit]) for digit in "0123456789") == pytest.approx(1)
    assert float(rows[0]["0"]) == float(rows[0]["probability"])
    assert [row["steps"] for row in rows] == ["", "resized from 40x40 to 8x8", ""]
    assert [row["error"] for row in rows] == ["", "", "empty file"]


def test_saved_pictures_show_image_and_label_and_overwrite_nothing(trained_run: TrainingResult, here: Path) -> None:
    Path("more").mkdir()
    shutil.copy("one.png", "more/zero.png")
    shutil.copy("one.png", "zero-0.png")
    Path("zero-1.png").write_text("mine")
    before = Path("zero-0.png").read_bytes()
    assert command(trained_run, "zero.png", "more/zero.png", "zero-0.png", "--save", ".") == 0
    made = sorted(path.name for path in here.glob("*-[01]*.png"))
    assert made == ["zero-0-1.png", "zero-0-2.png", "zero-0.png", "zero-1-2.png", "zero-1.png"]
    assert Path("zero-0.png").read_bytes() == before
    assert Path("zero-1.png").read_text() == "mine"
    picture = np.asarray(Image.open("zero-1-2.png").convert("L"))
    height, width = 8 * 35, 8 * 35  # the least multiple of 8 that reaches 280
    np.testing.assert_array_equal(picture[:height, :width][17::35, 17::35], np.asarray(Image.open("one.png")))
    assert (picture[height + 1 :] < 128).any()  # the label's letters


@pytest.mark.usefixtures("here")
def test_names_cannot_steer_the_terminal(trained_run: TrainingResult, capfd: pytest.CaptureFixture[str]) -> None:
    Path("zero.png").rename("a\x1b[31m\nb.png")
    Path("one.png").rename("c\x9b\u202e.png")
    Path("c\x9b\u202e.png").write_bytes(b"")
    assert command(trained_run, ".") == 1
    shown = capfd.readouterr()
    assert "a\\x1b[31m\\nb.png: 0 (" in shown.out
    assert "error: c\\x9b\\u202e.png: empty file" in shown.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["zero.png", "--run", "nope"], "nope: no run of this path or name"),
        (["nothing-*.png"], "holds or matches no file"),
        (["missing.png"], "missing.png: no such file or folder"),
        (["zero.png", "--json", "--csv", "a.csv"], "--json and --csv"),
        (["one.png", "--csv", "zero.png"], "would overwrite an image"),
        (["zero.png", "--save", "one.png"], "must be a folder"),
        (["zero.png", "--config", "lenet_digits"], "--config goes with --weights"),
    ],
)
def test_a_mistake_is_told(trained_run: TrainingResult, here: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(ImgclfError, match=message):
        command(trained_run, *arguments)
    assert sorted(path.name for path in here.iterdir()) == ["one.png", "zero.png"]


@pytest.mark.usefixtures("here")
def test_a_mistake_is_told_before_tensorflow_is_imported(trained_run: TrainingResult) -> None:
    code = (
        "import sys\nfrom imgclf.cli import app\nfrom imgclf.errors import ImgclfError\n"
        f"arguments = ['predict', 'missing.png', '--runs-dir', {str(trained_run.run.path.parent)!r}]\n"
        "try:\n    app(arguments, standalone_mode=False)\nexcept ImgclfError:\n"
        "    print(sorted({'tensorflow', 'keras', 'PIL', 'cv2'} & set(sys.modules)))\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.usefixtures("here")
def test_a_pipe_gets_results_alone(trained_run: TrainingResult) -> None:
    """Six seconds: a process of its own, since what TensorFlow prints at its import is what is kept off."""
    asked = [sys.executable, "-m", "imgclf", "predict", "zero.png", "--run", str(trained_run.run.path), "--top", "1"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("zero.png: 0 (")
    assert len(answer.stdout.splitlines()) == 1
    first, second = answer.stderr.splitlines()
    assert first == f"predicting with {trained_run.run.last_weights}"
    assert second.startswith("device  ")
