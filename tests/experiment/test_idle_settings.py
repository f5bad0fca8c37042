"""Settings that would do nothing, or that contradict each other, are mistakes and not passed over."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imgclf.experiment.problems import ExperimentError
from imgclf.experiment.schema import Experiment
from imgclf.experiment.validate import validate
from imgclf.experiment.yaml_text import parse


def read(text: str) -> Experiment:
    return validate(parse(text, "mine.yaml"), Experiment)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("{name: lenet, head: {name: softmax, dropout: 0.5}}", "model.head.dropout: has no effect without dense_units"),
        ("{name: lenet, head: {name: softmax, activation: elu}}", "model.head.activation: has no effect without dense"),
        ("{name: simple_cnn, dense_units: [], dense_dropout: 0.5}", "model.dense_dropout: has no effect without dense"),
        (
            "{name: alexnet, local_response_normalization: false, local_response: {bias: 3}}",
            "model.local_response: has no effect without local_response_normalization",
        ),
        (
            "{name: googlenet, local_response_normalization: false, local_response: {bias: 3}}",
            "model.local_response: has no effect without local_response_normalization",
        ),
        ("{name: lenet, bias_initializer: orthogonal}", "model.bias_initializer: unknown name"),
        (
            "{name: lenet, head: {name: softmax, bias_initializer: orthogonal}}",
            "model.head.bias_initializer: unknown name",
        ),
        ("{name: simple_cnn, blocks: [[8], [], [8]]}", r"model.blocks\[1\]: expected a list .* \(at least 1 entry\)"),
        ("{name: elu_cnn, blocks: [[8], []]}", r"model.blocks\[1\]: expected a list .* \(at least 1 entry\)"),
    ],
)
def test_settings_of_a_model_that_could_do_nothing_are_refused_at_their_place(model: str, message: str) -> None:
    with pytest.raises(ExperimentError, match=rf"mine.yaml:2: .*{message}"):
        read(f"dataset: digits\nmodel: {model}\n")


def test_what_the_program_writes_of_such_settings_itself_is_taken_back() -> None:
    zero = "dataset: digits\nmodel: {name: simple_cnn, dense_units: [], dense_dropout: 0.0}\n"
    assert read(zero).model.name == "simple_cnn"
    text = "dataset: digits\nmodel: {name: simple_cnn, dense_units: []}\n"
    written = read(text).complete()
    assert written["model"]["dense_dropout"] == 0.3
    assert read(json.dumps(written)).complete() == written


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split_column": "split"}, "split_column.*has no effect without csv"),
        ({"file_column": "image"}, "file_column.*has no effect without csv"),
        ({"label_columns": ("kind", "colour")}, "label_columns.*has no effect without csv"),
        (
            {"csv": "a.csv", "label_columns": ("kind", "colour"), "test_path": "test"},
            "its folders tell one label an image; label_columns has 2; use split_column",
        ),
    ],
)
def test_keys_that_do_not_go_together_are_refused(settings: dict[str, Any], message: str) -> None:
    text = f"dataset: {json.dumps({'name': 'image_folder', 'path': 'photos', **settings})}\nmodel: lenet\n"
    with pytest.raises(ExperimentError, match=message):
        read(text)


@pytest.mark.parametrize("key", ["gamma", "support_vectors"])
def test_settings_of_radial_functions_are_refused_with_a_linear_kernel(key: str) -> None:
    text = f"dataset: digits\nmodel:\n  name: lenet\n  head:\n    name: svm\n    kernel: linear\n    {key}: 3\n"
    with pytest.raises(ExperimentError, match=f"7: model.head.{key}: has no effect with the kernel linear"):
        read(text)
