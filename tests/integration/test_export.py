"""`imgclf export`: the files answer as `predict` does, for programs that know nothing of imgclf."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import imgclf as program
from imgclf.errors import WorkFailed
from imgclf.export import check_exported
from imgclf.screen import Silent
from imgclf.trained import find_source, open_trained

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgclf.train import TrainingResult

pytestmark = pytest.mark.slow  # each export is read back by a Python of its own, which imports TensorFlow

Imgclf = Callable[..., Any]
QUIET = ("training.epochs=1", "training.tensorboard.scalars=false", "training.tensorboard.graph=false")


@pytest.fixture
def run(trained_run: TrainingResult, tmp_path: Path) -> Path:
    """A run of its own for each test."""
    return Path(shutil.copytree(trained_run.run.path, tmp_path / "runs" / "digits"))


def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """scikit-learn's images, 0 to 255 (images, 8, 8, 1), and their labels."""
    pixels, labels = load_digits(return_X_y=True)
    return np.rint(pixels * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1), labels


def predicted(run: Path, images: NDArray[np.uint8], target: str | None = None) -> NDArray[np.float64]:
    """What `predict` says: (images, classes)."""
    predictions = program.load_run(run).predict(images)
    return np.stack([one.targets[target].probabilities if target else one.probabilities for one in predictions])


def test_a_keras_file_is_all_that_keras_needs(imgclf: Imgclf, run: Path) -> None:
    import keras

    answer = imgclf("export", run, "--format", "keras")
    assert answer.status == 0, answer.err
    assert "read back by Keras without imgclf: 32 validation images" in answer.err
    assert "takes images: uint8 (batch, 8, 8, 1)" in answer.out
    model = keras.models.load_model(run / "export" / "model.keras")
    assert model.input.dtype == "uint8"
    images, labels = digits()
    probabilities = model.predict(images, verbose=0)
    assert np.mean(probabilities.argmax(axis=1) == labels) > 0.9
    np.testing.assert_allclose(probabilities, predicted(run, images), atol=1e-5)
    names = json.loads((run / "export" / "class_names.json").read_text(encoding="utf-8"))
    assert names == {"probabilities": [str(digit) for digit in range(10)]}


def test_the_example_of_the_readme_names_the_classes(imgclf: Imgclf, run: Path) -> None:
    assert imgclf("export", run, "--format", "keras").status == 0
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    example = readme[readme.index("## Serving without imgclf") :].split("```python\n")[1].split("```")[0]
    images, labels = digits()
    np.save(run / "export" / "images.npy", images[:100])
    command = [sys.executable, "-c", f'import numpy\nimages = numpy.load("images.npy")\n{example}']
    done = subprocess.run(command, cwd=run / "export", capture_output=True, text=True, check=True)
    named = ast.literal_eval(done.stdout.splitlines()[-1])
    assert np.mean([name == str(label) for name, label in zip(named, labels[:100], strict=True)]) > 0.8


def test_a_saved_model_gives_probabilities_and_names_by_its_signature(
    imgclf: Imgclf, run: Path, tmp_path: Path
) -> None:
    import tensorflow as tf

    answer = imgclf("export", run, "--format", "saved_model", "--output", tmp_path / "for serving" / "digits")
    assert answer.status == 0, answer.err
    loaded = tf.saved_model.load(tmp_path / "for serving" / "digits")
    images, _ = digits()
    found = loaded.signatures["serving_default"](images=tf.constant(images[:50]))
    np.testing.assert_allclose(found["probabilities"], predicted(run, images[:50]), atol=1e-5)
    assert found["class_names"].numpy().tolist() == [[str(digit).encode() for digit in range(10)]] * 50
    assets = json.loads((tmp_path / "for serving" / "digits" / "assets" / "class_names.json").read_text())
    assert assets == {"probabilities": [str(digit) for digit in range(10)]}


@pytest.mark.parametrize(
    "settings",
    [
        (
            "preprocessing.normalization=featurewise",
            "preprocessing.whitening={name: zca, epsilon: 0.1}",
            "evaluation.test_time_augmentation=flip",
        ),
        (
            "preprocessing.scaling=symmetric",
            "preprocessing.normalization={name: samplewise, per_channel: true}",
            "training.precision=bfloat16",
            "preprocessing.size=12",
        ),
    ],
    ids=["whitened and averaged", "by image, in bfloat16"],
)
def test_preprocessing_averaging_and_temperature_are_inside(
    imgclf: Imgclf, tmp_path: Path, settings: tuple[str, ...]
) -> None:
    import keras

    result = program.train("lenet_digits", overrides=[*QUIET, *settings], runs_dir=tmp_path)
    assert imgclf("evaluate", result.run.path, "--calibrate").status == 0
    answer = imgclf("export", result.run.path, "--format", "keras")
    assert answer.status == 0, answer.err
    model = keras.models.load_model(result.run.path / "export" / "model.keras")
    images = np.random.default_rng(1).integers(0, 256, (40, *model.input.shape[1:]), np.uint8)
    atol = 2e-2 if "training.precision=bfloat16" in settings else 1e-5
    np.testing.assert_allclose(model.predict(images, verbose=0), predicted(result.run.path, images), atol=atol)


def test_each_target_has_an_output_of_its_own(imgclf: Imgclf, tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    numbers = np.random.default_rng(0)
    rows = ["file,colour,shape of it/2"]
    for number in range(36):
        colour = ("grün", "red", "blue")[number % 3]
        rows.append(f"{number}.png,{colour},{('disc', 'square')[number // 3 % 2]}")
        Image.fromarray(numbers.integers(0, 256, (10, 10, 3), np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    (tmp_path / "targets.yaml").write_text(
        f"dataset: {{name: image_folder, path: {tmp_path}, csv: labels.csv, "
        'label_columns: [colour, "shape of it/2"], test_size: 0.2, validation_size: 0.2}\n'
        "model: {name: mlp, dense_units: [8]}\n"
        "training: {epochs: 1, batch_size: 8, tensorboard: {scalars: false, graph: false}}\n"
    )
    run = program.train(tmp_path / "targets.yaml", runs_dir=tmp_path / "runs").run.path
    images = numbers.integers(0, 256, (5, 10, 10, 3), np.uint8)
    for form in ("keras", "saved_model"):
        answer = imgclf("export", run, "--format", form)
        assert answer.status == 0, answer.err
    names = json.loads((run / "export" / "class_names.json").read_text(encoding="utf-8"))
    assert list(names.values()) == [["blue", "grün", "red"], ["disc", "square"]]
    model = keras.models.load_model(run / "export" / "model.keras").predict(images, verbose=0)
    signature = tf.saved_model.load(run / "export" / "saved_model").signatures["serving_default"]
    served = signature(images=tf.constant(images))
    for target, output in zip(("colour", "shape of it/2"), names, strict=True):
        expected = predicted(run, images, target)
        np.testing.assert_allclose(model[output], expected, atol=1e-5)
        np.testing.assert_allclose(served[output], expected, atol=1e-5)
    assert served["class_names_colour"].numpy()[0, 1].decode() == "grün"


def test_a_layer_of_imgclf_is_refused_by_name_for_keras_and_exported_as_operations(
    imgclf: Imgclf, tmp_path: Path
) -> None:
    settings = (
        "model={name: spatial_transformer, localisation_filters: [2], blocks: [[2]], dense_units: []}",
        "dataset.limit_per_class=20",
        "training.batch_size=32",
    )
    run = program.train("lenet_digits", overrides=[*QUIET, *settings], runs_dir=tmp_path).run.path
    refused = imgclf("export", run, "--format", "keras")
    assert refused.status == 2
    assert "(AffineSampler)" in refused.err
    assert "--format saved_model" in refused.err
    assert not (run / "export").exists()
    assert imgclf("export", run, "--format", "saved_model").status == 0


def test_local_response_normalisation_becomes_layers_of_keras(imgclf: Imgclf, tmp_path: Path) -> None:
    import keras

    settings = (
        "model={name: alexnet, filters: [9, 8, 4, 4, 4], kernel_sizes: [3, 3, 3, 3, 3], first_strides: 1, "
        "padding: same, dense_units: [], local_response: {depth_radius: 2, bias: 1.0, alpha: 0.5, beta: 0.6}}",
        "dataset.limit_per_class=20",
        "training.batch_size=32",
    )
    run = program.train("lenet_digits", overrides=[*QUIET, *settings], runs_dir=tmp_path).run.path
    answer = imgclf("export", run, "--format", "keras")
    assert answer.status == 0, answer.err
    images, _ = digits()
    found = keras.models.load_model(run / "export" / "model.keras").predict(images, verbose=0)
    np.testing.assert_allclose(found, predicted(run, images), atol=1e-5)


def test_what_is_there_is_not_written_over(imgclf: Imgclf, run: Path, tmp_path: Path) -> None:
    (tmp_path / "class_names.json").write_text("mine")
    for output, told in (
        (tmp_path / "model.keras", "class_names.json: is there already"),
        (tmp_path / "model.h5", "must end in .keras"),
    ):
        answer = imgclf("export", run, "--format", "keras", "--output", output)
        assert answer.status == 2
        assert told in answer.err
    assert (tmp_path / "class_names.json").read_text() == "mine"


def test_without_the_data_noise_is_compared_and_said(imgclf: Imgclf, run: Path) -> None:
    experiment = run / "experiment.yaml"
    text = experiment.read_text(encoding="utf-8")
    experiment.write_text(text.replace("name: digits\n", "name: npz\n  path: nowhere.npz\n"), encoding="utf-8")
    answer = imgclf("export", run, "--format", "keras")
    assert answer.status == 0, answer.err
    assert "32 images of noise get the probabilities of predict" in answer.err
    assert "nowhere.npz" in answer.err


def test_a_model_that_answers_otherwise_or_not_at_all_is_refused(imgclf: Imgclf, run: Path) -> None:
    import keras

    assert imgclf("export", run, "--format", "keras").status == 0
    file = run / "export" / "model.keras"
    model = keras.models.load_model(file)
    weights = model.get_weights()
    weights[0][0, 0, 0, 0] += 0.1
    model.set_weights(weights)
    model.save(file)
    trained = open_trained(find_source(str(run), None, None, run), "cpu", lambda: pytest.fail("no data"), Silent())
    images, _ = digits()
    with pytest.raises(WorkFailed, match="must answer as predict does, within 1e-05; a probability differs by"):
        check_exported(file, "keras", trained, images[:32])
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(WorkFailed, match="can't be read back"):
        check_exported(file, "keras", trained, images[:32])
