from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Imgclf = Callable[..., Any]

NAMES = [
    "perceptron", "mlp", "lenet", "simple_cnn", "elu_cnn", "quickdraw_cnn", "small_vgg", "alexnet", "googlenet",
    "spatial_transformer", "application", "squeezenet", "transfer",
]  # fmt: skip

# LeCun's layers as LeNet has them here, by hand: weights and biases of each.
LENET_MNIST = {
    "conv_1": 5 * 5 * 1 * 20 + 20,
    "conv_2": 5 * 5 * 20 * 50 + 50,
    "dense_1": 7 * 7 * 50 * 500 + 500,
    "logits_label": 500 * 10 + 10,
}
LENET_MULTIPLY_ADDS = 28 * 28 * 5 * 5 * 20 + 14 * 14 * 5 * 5 * 20 * 50 + 7 * 7 * 50 * 500 + 500 * 10


def test_list_names_every_model_with_one_line(imgclf: Imgclf) -> None:
    answer = imgclf("models", "list")
    assert answer.status == 0
    assert [line.split()[0] for line in answer.out.splitlines()] == [
        "name", *NAMES
    ]  # fmt: skip
    assert "LeNet-5 with ReLU and max pooling (LeCun et al., 1998" in answer.out


def test_list_as_json(imgclf: Imgclf) -> None:
    listed = json.loads(imgclf("models", "list", "--json").out)
    assert {model["name"] for model in listed} == set(NAMES)
    assert all(model["description"].endswith(".") for model in listed)


def test_show_prints_settings_layers_and_totals(imgclf: Imgclf) -> None:
    answer = imgclf("models", "show", "lenet")
    assert answer.status == 0, answer.err
    assert "filters: [20, 50]\n      a list of whole numbers of 1 or more (at least 1 entry)\n" in answer.out
    assert "head.kernel_initializer: glorot_uniform\n" in answer.out
    cells = {line.split()[0]: line.split()[-1] for line in answer.out.splitlines() if line.strip()}
    assert {name: cells[name] for name in LENET_MNIST} == {name: f"{count:,}" for name, count in LENET_MNIST.items()}
    total = sum(LENET_MNIST.values())
    assert f"{total:,} parameters, {total:,} of them trainable" in answer.out
    assert f"{LENET_MULTIPLY_ADDS:,} multiply-adds an image" in answer.out
    assert answer.out.replace("\n", "").isprintable()


def test_show_prints_the_memory_of_parameters_and_activations(imgclf: Imgclf) -> None:
    answer = imgclf("models", "show", "lenet")
    assert "\n5.0 MB of parameters, as float32" in answer.out  # 1,256,080 of 4 bytes
    assert "\n142.4 kB of activations an image, as float32" in answer.out  # the image, 6 layers' outputs, the logits


def test_show_as_json_with_another_shape_and_settings(imgclf: Imgclf) -> None:
    options = ("--shape", "8x6x3", "--classes", 4, "--set", "model.dense_units=[7]", "--json")
    shown = json.loads(imgclf("models", "show", "mlp", *options).out)
    assert shown["image_shape"] == [8, 6, 3]
    assert shown["parameters"] == shown["trainable_parameters"] == 8 * 6 * 3 * 7 + 7 + 7 * 4 + 4
    settings = {setting["key"]: setting for setting in shown["settings"]}
    assert (settings["dense_units"]["default"], settings["dense_units"]["value"]) == ([64], [7])
    assert [layer["output_shape"] for layer in shown["layers"]] == [[8, 6, 3], [144], [7], [4]]
    assert [layer["multiply_adds"] for layer in shown["layers"]] == [0, 0, 144 * 7, 7 * 4]
    assert shown["multiply_adds"] == 144 * 7 + 7 * 4
    assert shown["parameter_bytes"] == 4 * shown["parameters"]
    assert shown["activation_bytes"] == 4 * (144 + 144 + 7 + 4)


def test_show_of_a_config_takes_its_model_and_the_shape_of_its_data(imgclf: Imgclf) -> None:
    shown = json.loads(imgclf("models", "show", "lenet_digits", "--json").out)
    assert (shown["name"], shown["image_shape"], shown["classes"]) == ("lenet", [8, 8, 1], {"label": 10})


@pytest.mark.parametrize(
    ("wanted", "options", "shape", "classes", "parameters"),
    [
        # Keras' blog network; its head is for two classes alone, so that nothing need be said of them
        ("small_vgg", ["--shape", "150x150x3", "--set", "model.head=sigmoid"], [150, 150, 3], {"label": 2}, 3_453_121),
        ("small_vgg_cats_vs_dogs", [], [150, 150, 3], {"label": 2}, 3_453_121),
        ("multi_head_shapes", ["--shape", "8x8x3", "--classes", "4", "--set", "model.blocks=[[1]]",
          "--set", "model.batch_norm=false", "--set", "model.dense_units=[2]"], [8, 8, 3],
         {"pattern": 4, "colour": 4, "shape": 4}, (27 + 1) + (16 * 2 + 2) + 3 * (2 * 4 + 4)),
    ],
)  # fmt: skip
def test_show_builds_the_heads_that_a_run_has(
    wanted: str, options: list[str], shape: list[int], classes: dict[str, int], parameters: int, imgclf: Imgclf
) -> None:
    answer = imgclf("models", "show", wanted, *options, "--json")
    assert answer.status == 0, answer.err
    shown = json.loads(answer.out)
    assert (shown["image_shape"], shown["classes"], shown["parameters"]) == (shape, classes, parameters)


def test_show_builds_a_head_for_each_label_column_of_arrays_and_says_what_it_assumes(
    imgclf: Imgclf, tmp_path: Path
) -> None:
    columns = "label_columns: [{name: shape}, {name: size, class_names: [small, large]}]"
    path = tmp_path / "mine.yaml"
    path.write_text(f"dataset: {{name: npz, path: a.npz, {columns}}}\npreprocessing: {{size: 8}}\nmodel: mlp\n")
    shown = json.loads(imgclf("models", "show", path, "--classes", "4", "--json").out)
    assert shown["classes"] == {"shape": 4, "size": 4}
    assert shown["remarks"] == ["the images' channels can be known only when the data is read: 3 are assumed"]
    grey = json.loads(
        imgclf("models", "show", path, "--classes", "4", "--set", "preprocessing.channels=1", "--json").out
    )
    assert (grey["image_shape"], grey["remarks"]) == ([8, 8, 1], [])
    fitted = imgclf("models", "show", path, "--classes", "4", "--set", "model.head=logistic_regression")
    assert "model.head: logistic_regression is for one target; the data has 2" in fitted.err


def test_show_says_that_support_vectors_are_not_counted(imgclf: Imgclf) -> None:
    assert "counted with one support vector" in imgclf("models", "show", "mlp", "--set", "model.head=svm").out
    linear = imgclf("models", "show", "mlp", "--set", "model.head={name: svm, kernel: linear}")
    assert "support vector;" not in linear.out


def test_batch_norm_has_parameters_that_are_not_trained(imgclf: Imgclf) -> None:
    shown = json.loads(imgclf("models", "show", "simple_cnn", "--set", "model.batch_norm=true", "--json").out)
    assert shown["parameters"] - shown["trainable_parameters"] == 2 * (64 + 128)  # means and variances


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_the_diagram_is_drawn(imgclf: Imgclf, tmp_path: Path, ending: str, start: bytes) -> None:
    path = tmp_path / f"lenet.{ending}"
    answer = imgclf("models", "show", "perceptron", "--diagram", path)
    assert answer.status == 0
    assert str(path) in answer.err
    assert path.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lenett"], "error: lenett: neither a model nor a config\nhint: did you mean lenet"),
        (["q"], "`imgclf models list` and `imgclf config list` show all"),
        (["lenet", "--shape", "3x3x1"], "images of 3x3 pixels are too small for this model: it needs 4x4 or more"),
        (["lenet", "--shape", "28x28"], "--shape: expected HEIGHTxWIDTHxCHANNELS"),
        (["lenet", "--set", "model.fliters=3"], 'model.fliters: unknown key; did you mean "filters"?'),
        (["lenet", "--set", "model.head=sigmoid", "--classes", "3"], "model.head: sigmoid must have 2 classes to tell"),
        (["simple_cnn_cats_vs_dogs"], "its classes can be known only when the data is read\nhint: give --classes N"),
        (["lenet", "--diagram", "lenet.jpg"], "the name must end in .png or .svg"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_status_2(imgclf: Imgclf, arguments: list[str], message: str) -> None:
    answer = imgclf("models", "show", *arguments)
    assert (answer.status, answer.out) == (2, "")
    assert message in answer.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "lenet"], "--models: two models or more are compared; got lenet"),
        (["--models", "mlp,lenet", "--model", "mlp"], "--models: each model is given once; got mlp 2 times"),
        (["--models", "mlp, [lenet]"], "must be names of models or mappings with a key name; got [\"lenet\"]"),
        (["--models", "mlp, {name: lenet, fliters: [3]}"], 'model.fliters: unknown key; did you mean "filters"?'),
        (["--models", "mlp, lenett"], "did you mean \"lenet\"?"),
        (["--models", "lenett, mlp", "--epochs", "2"], "error: --models lenett: model"),
        (["--models", "mlp, {name: lenet"], "error: --models mlp, {name: lenet"),
        (["--models", "mlp, {name: simple_cnn, blocks: [[4], [4], [4]]}"], "images of 8x8 pixels are too small"),
        (["--models", "mlp, lenet", "--set", "model.filters=[3]"], "every model is taken from --models"),
        (["--models", "mlp, lenet", "--set", "training.epochs=x"], "--set training.epochs=x: training.epochs: exp"),
        (["--models", "mlp, lenet", "--epochs", "2", "--set", "training.stages=[{epochs: 1}]"], "has stages, each"),
    ],
)  # fmt: skip
def test_mistakes_of_a_comparison_are_told_before_anything_is_trained(
    imgclf: Imgclf, tmp_path: Path, arguments: list[str], message: str
) -> None:
    answer = imgclf("models", "compare", "lenet_digits", *arguments, "--runs-dir", tmp_path)
    assert (answer.status, answer.out) == (2, "")
    assert message in answer.err
    assert answer.err.count("error: ") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow  # imports TensorFlow in a process of its own
def test_show_prints_nothing_of_tensorflow() -> None:
    command = [sys.executable, "-m", "imgclf", "models", "show", "perceptron"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.startswith("perceptron\nSoftmax regression")


def test_show_tells_what_a_published_network_does_to_the_images(imgclf: Imgclf) -> None:
    options = ("--set", "model.application=MobileNetV3Small", "--set", "model.weights=null")
    answer = imgclf("models", "show", "application", *options)
    assert answer.status == 0, answer.err
    assert "  enlarges images from 28x28 to 32x32\n  repeats the grey channel three times\n" in answer.out
    notes = json.loads(imgclf("models", "show", "application", *options, "--shape", "32x32x3", "--json").out)["notes"]
    assert notes == ["brings pixels from 0 to 1 to its own range: -1 to 1"]


@pytest.mark.parametrize("name", ["ResNet50", "resnet50", "resnet-50"])
def test_a_published_networks_name_leads_to_the_model_that_builds_it(name: str, imgclf: Imgclf, tmp_path: Path) -> None:
    shown = imgclf("models", "show", name)
    assert shown.status == 2
    assert "hint: imgclf models show application --set model.application=ResNet50\n" in shown.err
    for number, model in enumerate((name, f"{{name: {name}}}")):
        (tmp_path / f"{number}.yaml").write_text(f"dataset: digits\nmodel: {model}\n")
        checked = imgclf("config", "check", tmp_path / f"{number}.yaml")
        assert checked.status == 2
        assert "yaml:2: model" in checked.err
        assert "{name: application, application: ResNet50}" in checked.err


def test_show_names_the_heads_that_a_body_can_take(imgclf: Imgclf) -> None:
    shown = json.loads(imgclf("models", "show", "mlp", "--json").out)
    (head,) = [setting for setting in shown["settings"] if setting["key"] == "head"]
    assert head["value"] == "softmax"
    assert all(name in head["kind"] for name in ("softmax", "sigmoid", "svm", "logistic_regression"))


def test_transfer_is_shown_without_a_run_and_says_where_its_layers_are(imgclf: Imgclf) -> None:
    shown = imgclf("models", "show", "transfer")
    assert shown.status == 0, shown.err
    assert "  cut: null" in shown.out
    assert "imgclf models show RUN/experiment.yaml" in shown.out
    described = json.loads(imgclf("models", "show", "transfer", "--json").out)
    assert described["settings"][0]["key"] == "head"
