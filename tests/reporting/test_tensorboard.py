from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imgclf.models.heads import build_model
from imgclf.models.perceptron import Perceptron
from imgclf.models.simple_cnn import SimpleCnn
from imgclf.reporting.tensorboard import HISTOGRAM_SAMPLES, TensorboardLog, filter_images, projector_files

NETWORK = SimpleCnn(name="simple_cnn", blocks=((5,), (7,)), dense_units=(6,))
ROW = {"step": 4, "loss": 0.5, "accuracy": 0.75, "learning_rate": 0.01}
ROWS = [
    ROW | {"validation_loss": 0.6, "validation_accuracy": 0.7},
    ROW | {"step": 8, "loss": 0.25, "validation_loss": 0.5, "validation_accuracy": 0.8},
]
Write = Callable[[Callable[[TensorboardLog], object]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a log in a folder and close it."""

    def write(fill: Callable[[TensorboardLog], object]) -> Path:
        log = TensorboardLog(tmp_path / "tensorboard")
        fill(log)
        log.close()
        return tmp_path / "tensorboard"

    return write


def events(folder: Path) -> Any:
    """TensorBoard's own reader."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    return accumulator


def values(folder: Path, tag: str) -> list[tuple[int, Any]]:
    """Steps and values of a tag."""
    from tensorboard.util import tensor_util

    return [(event.step, tensor_util.make_ndarray(event.tensor_proto)) for event in events(folder).Tensors(tag)]


def test_scalars_of_training_and_validation_have_one_name_in_two_logs(write: Write) -> None:
    folder = write(lambda log: [log.scalars(row) for row in ROWS])
    assert sorted(events(folder / "train").Tags()["tensors"]) == ["accuracy", "learning_rate", "loss"]
    assert sorted(events(folder / "validation").Tags()["tensors"]) == ["accuracy", "loss"]
    assert values(folder / "train", "loss") == [(4, 0.5), (8, 0.25)]
    assert values(folder / "train", "accuracy") == [(4, 0.75), (8, 0.75)]
    assert values(folder / "train", "learning_rate") == [(4, np.float32(0.01)), (8, np.float32(0.01))]
    assert values(folder / "validation", "loss") == [(4, np.float32(0.6)), (8, 0.5)]
    assert values(folder / "validation", "accuracy") == [(4, np.float32(0.7)), (8, np.float32(0.8))]


def test_without_validation_it_has_no_log(write: Write) -> None:
    folder = write(lambda log: log.scalars(ROW | {"validation_loss": None, "validation_accuracy": None}))
    assert values(folder / "train", "loss") == [(4, 0.5)]
    assert not (folder / "validation").exists()


def test_a_run_that_goes_on_drops_the_segments_that_began_where_it_does_or_later(tmp_path: Path) -> None:
    first = TensorboardLog(tmp_path)
    row = ROWS[0]
    first.scalars(row | {"step": 10})
    first.start_segment(10)
    first.scalars(row | {"step": 15})
    first.start_segment(20)
    first.scalars(row | {"step": 25})
    first.close()
    time.sleep(1)  # it goes on in another process, which takes seconds to start
    again = TensorboardLog(tmp_path, 20)
    again.scalars(row | {"step": 25})
    again.close()
    for log in ("train", "validation"):
        assert [step for step, _ in values(tmp_path / log, "loss")] == [10, 15, 25]


def test_short_segments_are_read_in_the_order_of_their_steps(tmp_path: Path) -> None:
    log = TensorboardLog(tmp_path)
    for step in range(1, 13):
        log.scalars(ROWS[0] | {"step": step})
        log.start_segment(step)
    log.close()
    assert [step for step, _ in values(tmp_path / "train", "loss")] == list(range(1, 13))


def test_scalars_can_be_read_while_the_run_goes_on(tmp_path: Path) -> None:
    log = TensorboardLog(tmp_path)
    log.scalars(ROWS[0])
    assert values(tmp_path / "train", "loss") == [(4, 0.5)]
    log.close()


def test_the_graph_holds_the_layers(write: Write) -> None:
    folder = write(lambda log: log.graph(build_model(NETWORK, (12, 12, 1), {"class": 3})))
    names = " ".join(node.name for node in events(folder / "train").Graph().node)
    assert all(layer in names for layer in ("conv_1_1", "pool_1", "conv_2_1", "dense_1", "logits_class"))


def test_a_tensor_is_told_by_five_summaries(write: Write) -> None:
    array = np.random.default_rng(0).normal(3, 2, (40, 30)).astype(np.float32)
    folder = write(lambda log: log.tensors(20, [("variable/dense_1/kernel", array)])) / "train"
    wanted = {"mean": array.mean(), "standard_deviation": array.std(), "minimum": array.min(), "maximum": array.max()}
    for name, number in wanted.items():
        ((step, value),) = values(folder, f"variable/dense_1/kernel/{name}")
        assert step == 20
        assert value == pytest.approx(number, rel=1e-5)
    ((step, bins),) = values(folder, "variable/dense_1/kernel/histogram")
    assert step == 20
    assert bins[:, 2].sum() == 1200  # each row: left and right edge, count
    assert bins[0, 0] == pytest.approx(array.min())
    assert bins[-1, 1] == pytest.approx(array.max())
    edges = np.append(bins[:, 0], bins[-1, 1])
    assert np.abs(bins[:, 2] - np.histogram(array, edges)[0]).max() <= 2  # a value on an edge may count on either side


def test_numbers_are_of_all_values_and_the_histogram_of_a_sample_that_favours_no_channel(write: Write) -> None:
    # Each of 20 channels holds its own number; 20 divides the number of values by 100,000.
    array = np.broadcast_to(np.arange(20, dtype=np.float32), (100, 10, 100, 20))
    assert array.size == 20 * HISTOGRAM_SAMPLES
    folder = write(lambda log: log.tensors(0, [("output/conv_1", array)])) / "train"
    assert values(folder, "output/conv_1/mean") == [(0, 9.5)]
    ((_, bins),) = values(folder, "output/conv_1/histogram")
    assert HISTOGRAM_SAMPLES / 2 < bins[:, 2].sum() <= HISTOGRAM_SAMPLES
    filled = bins[bins[:, 2] > 0]
    assert len(filled) == 20
    assert filled[:, 2].max() - filled[:, 2].min() <= 1


def test_the_first_convolutions_filters_are_images(write: Write) -> None:
    import tensorflow as tf

    model = build_model(NETWORK, (12, 12, 1), {"class": 3})
    folder = write(lambda log: log.filters(8, model))
    ((step, (width, height, *pictures)),) = values(folder / "train", "filters")
    assert (step, int(width), int(height), len(pictures)) == (8, 3, 3, 5)
    kernel = model.get_layer("conv_1_1").get_weights()[0][:, :, 0, 2]
    wanted = (kernel - kernel.min()) / (kernel.max() - kernel.min()) * 255
    found = tf.io.decode_png(pictures[2]).numpy()[:, :, 0]
    assert np.abs(found - wanted).max() <= 1


def test_a_network_without_convolutions_has_no_filters(tmp_path: Path) -> None:
    log = TensorboardLog(tmp_path)
    assert log.filters(0, build_model(Perceptron(name="perceptron"), (4, 4, 1), {"class": 3})) is False
    log.close()


def test_filters_of_colour_images_are_in_colour_and_others_grey_by_channel() -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 4)).astype(np.float32)
    assert filter_images(kernel).shape == (4, 3, 3, 3)
    assert filter_images(kernel[:, :, :2]).shape == (8, 3, 3, 1)
    assert np.all(filter_images(np.ones((3, 3, 1, 1), np.float32)) == 0)


def test_the_projector_finds_features_and_class_names() -> None:
    from google.protobuf import text_format
    from tensorboard.plugins import projector

    features = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    files = projector_files(features, {"label": ["cat", "dog", "a\ttab", "two\nlines", "cat"]})
    config = text_format.Parse(files["projector_config.pbtxt"], projector.ProjectorConfig())
    (embedding,) = config.embeddings
    np.testing.assert_allclose(
        np.loadtxt(io.StringIO(files[embedding.tensor_path]), delimiter="\t"), features, rtol=1e-5
    )
    labels = files[embedding.metadata_path].splitlines()
    assert labels == ["cat", "dog", "a tab", "two lines", "cat"]


def test_the_classes_of_several_targets_are_columns_with_names() -> None:
    labels = {"colour": ["red", "green"], "a\tshape": ["disc", "square"]}
    files = projector_files(np.zeros((2, 3), np.float32), labels)
    assert files["labels.tsv"] == "colour\ta shape\nred\tdisc\ngreen\tsquare\n"
