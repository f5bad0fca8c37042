from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from imgclf.augmentation.mixup import Mixup
from imgclf.models.mlp import Mlp
from imgclf.models.simple_cnn import SimpleCnn
from imgclf.training.feed import Chunk, Span
from imgclf.training.inspection import inspect
from imgclf.training.loop import prepare
from imgclf.training.step import ChunkResult, Step
from imgclf.training.task import Task

BATCH = 16
MakeTask = Callable[..., Task]


def make_chunk(task: Task, steps: int) -> Chunk:
    """The first images of the task, in their order."""
    taken = np.arange(steps * BATCH)
    images = task.train.pixels.take(taken).reshape(steps, BATCH, 8, 8, 1)
    numbers = np.zeros((steps, BATCH, 0), np.float32)
    return Chunk(Span(0, 0, 0, steps), images, task.train.labels[taken].reshape(steps, BATCH, 1), numbers)


def floats(chunk: Chunk, step: int) -> np.ndarray:
    return chunk.images[step].astype(np.float32) / 255


def train(task: Task, steps: int, rate: float = 0.1) -> ChunkResult:
    result = prepare(task, 0, task.stages[0]).compiled()(make_chunk(task, steps), np.full(steps, rate, np.float32))
    assert isinstance(result, ChunkResult)
    return result


def plain_copy(model: Any) -> Any:
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def plain_gradients(model: Any, chunk: Chunk, step: int = 0) -> tuple[float, list[np.ndarray]]:
    """Loss and gradients as a textbook computes them."""
    import keras
    import tensorflow as tf

    with tf.GradientTape() as tape:
        logits = model(floats(chunk, step), training=True)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(chunk.labels[step][:, 0], logits)
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    return float(loss), [gradient.numpy() for gradient in gradients]


def assert_weights_are(model: Any, wanted: list[np.ndarray], tolerance: float = 1e-6) -> None:
    for found, weights in zip(model.get_weights(), wanted, strict=True):
        np.testing.assert_allclose(found, weights, rtol=tolerance, atol=tolerance)


def test_one_step_of_gradient_descent_is_the_textbooks(make_task: MakeTask) -> None:
    task = make_task(optimizer={"name": "sgd"})
    before, chunk = task.model.get_weights(), make_chunk(task, 1)
    loss, gradients = plain_gradients(plain_copy(task.model), chunk)
    result = train(task, 1, rate=0.5)
    assert result.steps == result.updates == 1
    assert result.loss == pytest.approx(loss, rel=1e-6)
    assert_weights_are(
        task.model, [weights - 0.5 * gradient for weights, gradient in zip(before, gradients, strict=True)]
    )


def test_the_accuracy_of_a_chunk_counts_the_answers_before_each_update(make_task: MakeTask) -> None:
    task = make_task(optimizer={"name": "sgd"})
    chunk, model = make_chunk(task, 1), plain_copy(task.model)
    answers = model(floats(chunk, 0)).numpy().argmax(axis=1)
    assert train(task, 1).accuracy == pytest.approx(np.mean(answers == chunk.labels[0, :, 0]))


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_several_steps_in_one_call_are_those_of_a_plain_keras_loop(make_task: MakeTask, name: str) -> None:
    import keras

    task = make_task(optimizer={"name": name})
    model, chunk = plain_copy(task.model), make_chunk(task, 3)
    optimizer = keras.optimizers.get({"class_name": name, "config": {"learning_rate": 0.01}})
    losses = []
    for step in range(3):
        loss, gradients = plain_gradients(model, chunk, step)
        losses.append(loss)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    result = train(task, 3, rate=0.01)
    assert result.loss == pytest.approx(np.mean(losses), rel=1e-5)
    assert_weights_are(task.model, model.get_weights(), tolerance=1e-5)


def test_batch_normalisation_moves_its_statistics_as_in_keras(make_task: MakeTask) -> None:
    task = make_task(
        SimpleCnn(name="simple_cnn", blocks=((2,),), batch_norm=True, flatten_dropout=0.0, dense_units=()),
        optimizer={"name": "sgd"},
    )
    model, chunk = plain_copy(task.model), make_chunk(task, 1)
    _, gradients = plain_gradients(model, chunk)
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.1 * gradient)
    train(task, 1)
    assert_weights_are(task.model, model.get_weights())


def test_class_weights_are_those_of_keras_fit(make_task: MakeTask) -> None:
    import keras

    weights = (0.5, 3.0, 1.0)
    task = make_task(optimizer={"name": "sgd"}, class_weight=weights)
    model, chunk = plain_copy(task.model), make_chunk(task, 1)
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    loss = model.train_on_batch(floats(chunk, 0), chunk.labels[0], class_weight=dict(enumerate(weights)))
    assert train(task, 1).loss == pytest.approx(float(loss), rel=1e-5)
    assert_weights_are(task.model, model.get_weights())


def test_a_step_on_mixed_images_is_the_textbooks_with_mixed_labels(make_task: MakeTask) -> None:
    import keras
    import tensorflow as tf

    task = make_task(optimizer={"name": "sgd"}, augmentations=(Mixup(name="mixup"),))
    model, chunk, before = plain_copy(task.model), make_chunk(task, 1), task.model.get_weights()
    own = np.random.default_rng(0).random(BATCH, np.float32)
    labels = chunk.labels[0, :, 0]
    images = chunk.images[0].astype(np.float32)
    share = own[:, None, None, None]
    blended = np.round(share * images + (1 - share) * np.roll(images, -1, axis=0)) / 255
    mixed = own[:, None] * np.eye(3)[labels] + (1 - own[:, None]) * np.eye(3)[np.roll(labels, -1)]
    with tf.GradientTape() as tape:
        logits = model(blended.astype(np.float32), training=True)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)(mixed.astype(np.float32), logits)
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    call = prepare(task, 0, task.stages[0]).compiled()
    result = call(replace(chunk, numbers=own.reshape(1, BATCH, 1)), np.array([0.5], np.float32))
    assert result.loss == pytest.approx(float(loss), rel=1e-5)
    assert result.accuracy == pytest.approx(np.mean(logits.numpy().argmax(axis=1) == mixed.argmax(axis=1)))
    wanted = [old - 0.5 * one.numpy() for old, one in zip(before, gradients, strict=True)]
    assert_weights_are(task.model, wanted, tolerance=1e-5)


def test_mixed_images_can_be_inspected(make_task: MakeTask) -> None:
    task = make_task(augmentations=(Mixup(name="mixup"),))
    chunk = replace(make_chunk(task, 1), numbers=np.full((1, BATCH, 1), 0.25, np.float32))
    images = chunk.images[0].astype(np.float32)
    blended = np.round(0.25 * images + 0.75 * np.roll(images, -1, axis=0)) / 255
    shown = dict(inspect(make_step(task), chunk))
    wanted = task.model(blended.astype(np.float32), training=False)
    np.testing.assert_allclose(shown["output/logits_class"], wanted, rtol=1e-4, atol=1e-5)


def test_label_smoothing_is_that_of_keras_fit(make_task: MakeTask) -> None:
    import keras

    task = make_task(optimizer={"name": "sgd"}, label_smoothing=0.2)
    model, chunk = plain_copy(task.model), make_chunk(task, 1)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    model.compile(keras.optimizers.SGD(0.1), loss)
    theirs = model.train_on_batch(floats(chunk, 0), np.eye(3, dtype=np.float32)[chunk.labels[0, :, 0]])
    assert train(task, 1).loss == pytest.approx(float(theirs), rel=1e-5)
    assert_weights_are(task.model, model.get_weights())


@pytest.mark.parametrize("norm", [0.05, 1000.0])
def test_clip_norm_scales_all_gradients_by_their_common_norm(make_task: MakeTask, norm: float) -> None:
    task = make_task(optimizer={"name": "sgd"}, clip_norm=norm)
    before = task.model.get_weights()
    _, gradients = plain_gradients(plain_copy(task.model), make_chunk(task, 1))
    whole = np.sqrt(sum(np.sum(gradient.astype(np.float64) ** 2) for gradient in gradients))
    assert (whole > norm) == (norm == 0.05)
    factor = min(1.0, norm / whole)
    train(task, 1)
    assert_weights_are(task.model, [old - 0.1 * factor * one for old, one in zip(before, gradients, strict=True)])


def test_clip_value_cuts_each_value(make_task: MakeTask) -> None:
    task = make_task(optimizer={"name": "sgd"}, clip_value=0.02)
    before = task.model.get_weights()
    _, gradients = plain_gradients(plain_copy(task.model), make_chunk(task, 1))
    assert max(np.abs(gradient).max() for gradient in gradients) > 0.02
    train(task, 1)
    wanted = [old - 0.1 * np.clip(one, -0.02, 0.02) for old, one in zip(before, gradients, strict=True)]
    assert_weights_are(task.model, wanted)


def test_each_step_has_its_own_learning_rate(make_task: MakeTask) -> None:
    task, again = make_task(optimizer={"name": "sgd"}), make_task(optimizer={"name": "sgd"})
    call = prepare(task, 0, task.stages[0]).compiled()
    call(make_chunk(task, 2), np.array([0.1, 0.0], np.float32))
    train(again, 1, rate=0.1)
    assert_weights_are(task.model, again.model.get_weights(), tolerance=0)


def spoilt(chunk: Chunk, step: int) -> Chunk:
    """Float images, one of which is not a number."""
    images = chunk.images.astype(np.float32)
    images[step, 3, 0, 0, 0] = np.nan
    return replace(chunk, images=images)


def test_a_step_that_is_not_finite_changes_nothing_and_ends_the_call(make_task: MakeTask) -> None:
    model = SimpleCnn(name="simple_cnn", blocks=((2,),), batch_norm=True, flatten_dropout=0.0, dense_units=())
    task, again = make_task(model), make_task(model)
    step = prepare(task, 0, task.stages[0])
    result = step.compiled()(spoilt(make_chunk(task, 4), 2), np.full(4, 0.01, np.float32))
    assert (result.steps, result.updates, result.finite) == (2, 2, False)
    assert int(step.optimizer.iterations.numpy()) == 2
    train(again, 2, rate=0.01)
    assert_weights_are(task.model, again.model.get_weights(), tolerance=0)
    assert all(np.isfinite(weights).all() for weights in task.model.get_weights())


def make_step(task: Task) -> Step:
    return prepare(task, 0, task.stages[0])


def test_inspection_shows_variables_gradients_and_outputs_and_leaves_the_model_as_it_was(make_task: MakeTask) -> None:
    task = make_task(Mlp(name="mlp", dense_units=(6,), dropout=0.5))
    model, chunk = plain_copy(task.model), make_chunk(task, 2)
    before = task.model.get_weights()
    shown = dict(inspect(make_step(task), chunk))
    names = ["dense_1/kernel", "dense_1/bias", "logits_class/kernel", "logits_class/bias"]
    assert [name for name in shown if name.startswith("variable/")] == [f"variable/{name}" for name in names]
    assert [name for name in shown if name.startswith("gradient/")] == [f"gradient/{name}" for name in names]
    assert np.array_equal(shown["variable/dense_1/kernel"], model.get_weights()[0])
    np.testing.assert_allclose(shown["output/logits_class"], model(floats(chunk, 0), training=False), rtol=1e-5)
    hidden = np.maximum(floats(chunk, 0).reshape(BATCH, -1) @ before[0] + before[1], 0)
    np.testing.assert_allclose(shown["output/dense_1"], hidden, rtol=1e-5, atol=1e-6)
    assert_weights_are(task.model, before, tolerance=0)


def test_inspected_gradients_are_those_of_the_step(make_task: MakeTask) -> None:
    model = SimpleCnn(name="simple_cnn", blocks=((2,),), batch_norm=True, flatten_dropout=0.0, dense_units=())
    task = make_task(model)
    before, chunk = task.model.get_weights(), make_chunk(task, 1)
    _, gradients = plain_gradients(plain_copy(task.model), chunk)
    shown = [array for name, array in inspect(make_step(task), chunk) if name.startswith("gradient/")]
    for found, wanted in zip(shown, gradients, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    assert_weights_are(task.model, before, tolerance=0)  # the moving statistics too
