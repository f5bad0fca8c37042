from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from imgclf.errors import ImgclfError
from imgclf.models.heads import build_model, cut
from imgclf.models.simple_cnn import SimpleCnn
from imgclf.training.loop import fit
from imgclf.training.task import Images, Stored, Task
from imgclf.training.trainable import set_trainable, trainable_text

MakeTask = Callable[..., Task]
NETWORK = SimpleCnn(
    name="simple_cnn", blocks=((2,), (3,)), padding="same", batch_norm=True, flatten_dropout=0.0, dense_units=(4,)
)


def trained(trainable: str, *, freeze: bool = False) -> list[str]:
    model = build_model(NETWORK, (8, 8, 1), {"label": 3})
    return [layer.name for layer in set_trainable(model, cut(model)[1], trainable, freeze)]


def test_a_stage_trains_all_or_the_head_or_from_the_first_layer_of_a_name_on() -> None:
    assert trained("all") == ["conv_1_1", "norm_1_1", "conv_2_1", "norm_2_1", "dense_1", "logits_label"]
    assert trained("head") == ["logits_label"]
    assert trained("conv_2") == ["conv_2_1", "norm_2_1", "dense_1", "logits_label"]
    assert trained("dense_1") == ["dense_1", "logits_label"]


def test_frozen_batch_normalisation_trains_nothing() -> None:
    assert trained("conv_2", freeze=True) == ["conv_2_1", "dense_1", "logits_label"]


def test_a_name_that_no_layer_has_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(ImgclfError, match=r'found "blok5".* layers with weights: conv_1_1'):
        trained("blok5")


def test_what_trains_is_told_with_its_number_of_weights() -> None:
    model = build_model(NETWORK, (8, 8, 1), {"label": 3})
    layers = set_trainable(model, cut(model)[1], "dense_1", False)
    assert trainable_text(layers, model).startswith(f"{(12 * 4 + 4) + (4 * 3 + 3)} of {model.count_params()} ")


def of_body(task: Task) -> list[np.ndarray]:
    return list(task.body.get_weights())


def test_only_the_head_changes_and_the_bodys_statistics_stay(make_task: MakeTask, watcher: Any) -> None:
    task = make_task(NETWORK, trainable="head")
    before, head = of_body(task), task.head.get_weights()
    fit(task, watcher)
    assert all(np.array_equal(old, new) for old, new in zip(before, of_body(task), strict=True))
    assert not any(np.array_equal(old, new) for old, new in zip(head, task.head.get_weights(), strict=True))


def test_training_the_head_on_stored_features_is_training_it_behind_its_body(make_task: MakeTask, watcher: Any) -> None:
    through_body, on_features = make_task(NETWORK, trainable="head"), make_task(NETWORK, trainable="head")
    stored = Stored(*(features(on_features, images) for images in (on_features.train, on_features.validation)))
    fit(through_body, watcher)
    rows = list(watcher.rows)
    watcher.rows.clear()
    fit(with_stored(on_features, stored), watcher)
    for one, other in zip(through_body.model.get_weights(), on_features.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    for row, other_row in zip(rows, watcher.rows, strict=True):
        assert row == pytest.approx(other_row, rel=1e-5)


def features(task: Task, images: Images | None) -> Any:
    from imgclf.datasets.base import ArrayPixels

    assert images is not None
    pixels = images.pixels.take(np.arange(len(images.pixels)))
    return Images(ArrayPixels(task.body.predict(pixels / 255, verbose=0)), images.labels)


def with_stored(task: Task, stored: Stored) -> Task:
    from dataclasses import replace

    return replace(task, stored={0: stored})


@pytest.mark.parametrize("freeze", [True, False])
def test_batch_normalisation_keeps_its_statistics_only_where_it_is_frozen(
    freeze: bool, make_task: MakeTask, watcher: Any
) -> None:
    task = make_task(NETWORK, trainable="conv_2", freeze_batch_normalization=freeze)
    normalization, convolution = task.model.get_layer("norm_2_1"), task.model.get_layer("conv_2_1")
    before, kernel = normalization.get_weights(), convolution.get_weights()[0]
    fit(task, watcher)
    unchanged = [np.array_equal(old, new) for old, new in zip(before, normalization.get_weights(), strict=True)]
    assert all(unchanged) if freeze else not any(unchanged)
    assert not np.array_equal(kernel, convolution.get_weights()[0])


def test_a_stage_behind_one_on_features_trains_the_body_from_where_it_stood(make_task: MakeTask, watcher: Any) -> None:
    stages = ({"trainable": "head", "epochs": 1}, {"trainable": "dense_1", "epochs": 1})
    plain, task = make_task(NETWORK, stages=stages), make_task(NETWORK, stages=stages)
    stored = Stored(*(features(task, images) for images in (task.train, task.validation)))
    before = task.model.get_layer("dense_1").get_weights()[0]
    fit(plain, watcher)
    fit(with_stored(task, stored), watcher)
    assert not np.array_equal(before, task.model.get_layer("dense_1").get_weights()[0])
    for one, other in zip(plain.model.get_weights(), task.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_a_stage_of_the_head_alone_shows_the_heads_outputs_for_the_bodys_features(make_task: MakeTask) -> None:
    from imgclf.training.feed import Chunk, Span
    from imgclf.training.inspection import inspect
    from imgclf.training.loop import prepare

    task = make_task(NETWORK, trainable="head")
    images = task.train.pixels.take(np.arange(16))
    chunk = Chunk(Span(0, 0, 0, 1), images[None], task.train.labels[None, :16], np.zeros((1, 16, 0), np.float32))
    named = dict(inspect(prepare(task, 0, task.stages[0]), chunk))
    np.testing.assert_allclose(named["output/logits_class"], task.model(images / 255), rtol=1e-4, atol=1e-5)
