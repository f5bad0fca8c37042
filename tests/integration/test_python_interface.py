"""The Python interface, as a script or a notebook uses it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

import imgclf
from imgclf.errors import ImgclfError
from imgclf.images.decode import UnreadableImage
from imgclf.predict import Prediction
from imgclf.run import Run

if TYPE_CHECKING:
    from imgclf.train import TrainingResult


@pytest.fixture(scope="module")
def run(trained_run: TrainingResult) -> Run:
    return imgclf.load_run(trained_run.run.path)


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    """The first twenty images of scikit-learn's digits, uint8 (20, 8, 8): twice 0 to 9."""
    return np.rint(load_digits().images[:20] * (255 / 16)).astype(np.uint8)


def without_run(report: dict[str, Any]) -> dict[str, Any]:
    """A report as it is written: the run's name is known by its folder."""
    return {name: value for name, value in report.items() if name != "run"}


def shares(answer: Prediction | list[Prediction]) -> NDArray[np.float64]:
    """Probabilities, (images, classes)."""
    return np.stack([one.probabilities for one in (answer if isinstance(answer, list) else [answer])])


def test_a_run_tells_what_it_is(run: Run, trained_run: TrainingResult) -> None:
    assert run.path == trained_run.run.path
    assert run.class_names == tuple("0123456789")
    assert run.image_shape == (8, 8, 1)
    assert run.experiment.training.epochs == 2
    assert run.record["status"] == "finished"
    assert run.report == without_run(trained_run.report)


def test_a_run_is_found_by_its_name_and_as_the_latest(trained_run: TrainingResult) -> None:
    runs = trained_run.run.path.parent
    assert imgclf.load_run(trained_run.run.name, runs_dir=runs).path == trained_run.run.path
    assert imgclf.load_run(runs_dir=runs).path == trained_run.run.path
    with pytest.raises(ImgclfError, match="nothing: no run of this path or name"):
        imgclf.load_run("nothing", runs_dir=runs)


def test_one_image_gives_a_prediction_and_several_a_list(run: Run, images: NDArray[np.uint8]) -> None:
    several = run.predict(images)
    assert isinstance(several, list)
    assert np.mean([one.label == str(number % 10) for number, one in enumerate(several)]) >= 0.8
    one = run.predict(images[0])
    assert isinstance(one, Prediction)
    assert one.label == "0"
    assert one.probability == one.top[0][1] == one.probabilities.max()
    assert [label for label, _ in one.top] == [str(label) for label in np.argsort(-one.probabilities)[:3]]
    assert one.probabilities.sum() == pytest.approx(1)
    assert one.steps == ()


def test_an_array_means_the_same_with_and_without_its_axes(run: Run, images: NDArray[np.uint8]) -> None:
    expected = shares(run.predict(images))
    np.testing.assert_allclose(shares(run.predict(images[..., np.newaxis])), expected, rtol=1e-4)
    np.testing.assert_allclose(shares(run.predict(images[0])), expected[:1], rtol=1e-4)
    np.testing.assert_allclose(shares(run.predict(images[0, :, :, np.newaxis])), expected[:1], rtol=1e-4)
    colours = run.predict(np.repeat(images[..., np.newaxis], 3, axis=3))
    np.testing.assert_allclose(shares(colours), expected, rtol=1e-4)
    assert run.predict(images[:0]) == []


def test_an_array_is_resized_and_its_ink_is_left_alone(run: Run, images: NDArray[np.uint8]) -> None:
    blocks = images[0].repeat(4, axis=0).repeat(4, axis=1)  # each pixel four by four: averaged by area, the same again
    found = run.predict(blocks)
    assert isinstance(found, Prediction)
    assert found.steps == ("resized from 32x32 to 8x8",)
    np.testing.assert_allclose(found.probabilities, shares(run.predict(images[0]))[0], rtol=1e-4)
    dark = run.predict(255 - images[0])
    assert isinstance(dark, Prediction)
    assert dark.steps == ()
    assert abs(dark.probabilities - found.probabilities).max() > 0.1


def test_a_path_or_several_are_predicted_as_arrays_are(run: Run, images: NDArray[np.uint8], tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for file, image in zip(files, images, strict=False):
        Image.fromarray(image).save(file)
    expected = shares(run.predict(images[:3]))
    np.testing.assert_allclose(shares(run.predict(files)), expected, rtol=1e-4)
    one = run.predict(str(files[0]), top=1)
    assert isinstance(one, Prediction)
    assert len(one.top) == 1
    np.testing.assert_allclose(one.probabilities, expected[0], rtol=1e-4)
    with pytest.raises(UnreadableImage, match=r"missing\.png: cannot be opened"):
        run.predict([files[0], tmp_path / "missing.png"])


@pytest.mark.parametrize(
    ("wrong", "message", "hint"),
    [
        (np.zeros((8, 8)), "uint8, with pixels from 0 to 255; got float64 from 0 to 0", r"\(array \* 255\)"),
        (np.full((2, 8, 8), 7, np.int64), "got int64 from 7 to 7", r"array\.astype\('uint8'\)"),
        (np.zeros((8, 8), bool), "got bool", ""),
        (np.zeros((8, 8, 4), np.uint8), r"with 1 channel or 3; got \(8, 8, 4\)", ""),
        (np.zeros(8, np.uint8), r"got \(8,\)", ""),
        (np.zeros((0, 8), np.uint8), r"got \(0, 8\)", ""),
        (3, "a path, a list of paths or a numpy array; got int", "numpy.asarray"),
        ([np.zeros((8, 8), np.uint8)], "got list", "numpy.stack"),
    ],
)
def test_what_is_no_image_is_refused_with_what_to_do(run: Run, wrong: Any, message: str, hint: str) -> None:
    with pytest.raises(ImgclfError, match=message) as refusal:
        run.predict(wrong)
    assert re.search(hint, refusal.value.hint or "")


def test_evaluate_repeats_the_report_to_the_last_digit(run: Run, trained_run: TrainingResult) -> None:
    report = run.evaluate()
    assert report["run"] == trained_run.run.name
    assert without_run(report) == without_run(trained_run.report)
