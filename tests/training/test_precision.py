from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from imgclf.models.mlp import Mlp
from imgclf.preprocessing import Preprocessing, PreprocessingSettings
from imgclf.recording import row_text
from imgclf.training.feed import Chunk, Span
from imgclf.training.loop import fit, prepare
from imgclf.training.precision import computing_in
from imgclf.training.task import Task

MakeTask = Callable[..., Task]
MODEL = Mlp(name="mlp", dense_units=(8,))


def make_chunk(task: Task, steps: int) -> Chunk:
    taken = np.arange(16)
    images = np.broadcast_to(task.train.pixels.take(taken), (steps, 16, 8, 8, 1))
    labels = np.broadcast_to(task.train.labels[taken], (steps, 16, 1))
    return Chunk(Span(0, 0, 0, steps), images, labels, np.zeros((steps, 16, 0), np.float32))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_trains_in_half_the_bits_with_float32_weights_and_last_layer(
    make_task: MakeTask, watcher: Any, precision: str
) -> None:
    task = make_task(MODEL, precision=precision, epochs=4, optimizer={"name": "adam", "learning_rate": 0.05})
    assert task.model.get_layer("dense_1").compute_dtype == precision
    assert task.model.get_layer("logits_class").compute_dtype == "float32"
    assert task.model.output.dtype == "float32"
    assert {variable.dtype for variable in task.model.variables} == {"float32"}
    outcome = fit(task, watcher)
    assert outcome.not_finite is None
    assert watcher.rows[-1]["loss"] < watcher.rows[0]["loss"] / 2
    assert watcher.rows[-1]["validation_accuracy"] > 0.9


def test_layers_outside_the_block_compute_as_before() -> None:
    import keras

    with computing_in("bfloat16"):
        inside = keras.layers.Dense(1)
    assert inside.compute_dtype == "bfloat16"
    assert keras.layers.Dense(1).compute_dtype == "float32"


def test_gradients_of_float16_are_those_of_float32_within_its_rounding(make_task: MakeTask) -> None:
    half, whole = make_task(MODEL, precision="float16"), make_task(MODEL)
    found, wanted = (gradients_of_first_step(task) for task in (half, whole))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=0.02, atol=1e-3)


def gradients_of_first_step(task: Task) -> list[np.ndarray]:
    import tensorflow as tf

    chunk = make_chunk(task, 1)
    arrays = (tf.constant(array[0]) for array in (chunk.images, chunk.labels, chunk.numbers))
    gradients = prepare(task, 0, task.stages[0]).gradients(*arrays, tf.constant(0, tf.int64))
    return [gradient.numpy() for gradient in gradients]


def test_the_loss_scale_halves_on_overflow_and_the_run_goes_on(make_task: MakeTask) -> None:
    task = make_task(MODEL, precision="float16")
    step = prepare(task, 0, task.stages[0])
    assert float(step.scale.scale.numpy()) == 2**15
    step.scale.scale.assign(2.0**24)  # scaled gradients pass float16's largest number, 65,504
    before = task.model.get_weights()
    result = step.compiled()(make_chunk(task, 12), np.full(12, 0.1, np.float32))
    halvings = 12 - result.updates
    assert (result.steps, result.finite) == (12, True)
    assert 1 <= halvings < 12
    assert float(step.scale.scale.numpy()) == 2.0 ** (24 - halvings)
    assert int(step.scale.good_steps.numpy()) == result.updates == int(step.optimizer.iterations.numpy())
    assert np.isfinite(result.loss)
    assert not np.array_equal(before[0], task.model.get_weights()[0])
    assert all(np.isfinite(weights).all() for weights in task.model.get_weights())


def test_the_loss_scale_doubles_after_two_thousand_good_steps(make_task: MakeTask) -> None:
    task = make_task(MODEL, precision="float16")
    step = prepare(task, 0, task.stages[0])
    step.scale.good_steps.assign(1998)
    step.compiled()(make_chunk(task, 3), np.full(3, 0.1, np.float32))
    assert float(step.scale.scale.numpy()) == 2**16
    assert int(step.scale.good_steps.numpy()) == 1


def test_a_float16_run_that_no_scale_helps_stops_and_names_the_step(make_task: MakeTask, watcher: Any) -> None:
    # The first update makes weights beyond float16; every later step overflows at every scale, 2^15 down to 1.
    task = make_task(MODEL, precision="float16", epochs=9, optimizer={"name": "sgd", "learning_rate": 1e20})
    watcher.may_overflow = True
    outcome = fit(task, watcher)
    assert outcome.not_finite == (17, 5)
    assert outcome.steps == 16
    assert all(np.isfinite(weights).all() for weights in task.model.get_weights())


def test_epochs_in_which_every_step_overflowed_have_no_loss_that_stopping_could_take_for_the_best(
    make_task: MakeTask, watcher: Any
) -> None:
    task = make_task(
        MODEL,
        precision="float16",
        epochs=20,
        batch_size=70,  # one step an epoch
        optimizer={"name": "sgd", "learning_rate": 1e-9},
        early_stopping={"monitor": "loss", "patience": 10},
    )
    wide = replace(task, preprocessing=Preprocessing(PreprocessingSettings(scaling="none")))
    watcher.may_overflow = True
    fit(wide, watcher)
    losses = [row["loss"] for row in watcher.rows]
    left_out = int(np.isnan(losses).sum())
    assert 1 <= left_out < len(losses), "the first steps overflow at the first scale, later ones do not"
    assert np.isnan([row["accuracy"] for row in watcher.rows[:left_out]]).all()
    assert min(losses[left_out:]) > 0
    assert watcher.best_step > left_out
    assert "no step changed the weights" in row_text(watcher.rows[0])
