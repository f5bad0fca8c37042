from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from imgclf.models.mlp import Mlp
from imgclf.training.average import Average, WeightAverage, averaged
from imgclf.training.loop import fit
from imgclf.training.task import Task

MakeTask = Callable[..., Task]


def network() -> Any:
    import keras

    from imgclf.models.heads import build_model

    keras.utils.set_random_seed(0)
    return build_model(Mlp(name="mlp", dense_units=(3,)), (2, 2, 1), {"label": 2})


def test_the_average_follows_the_published_rule() -> None:
    model = network()
    kernel, numbers = model.layers[2].kernel, np.random.default_rng(0)
    average, expected = Average(model, WeightAverage(decay=0.6)), kernel.numpy()
    for update in range(1, 9):
        values = numbers.normal(size=kernel.shape).astype(np.float32)
        kernel.assign(values)
        average.update()
        decay = min(0.6, (1 + update) / (10 + update))  # as tf.train.ExponentialMovingAverage with num_updates
        expected = decay * expected + (1 - decay) * values
    average.put()
    np.testing.assert_allclose(kernel.numpy(), expected, rtol=1e-5)


def test_the_model_has_its_own_weights_again_after_the_block() -> None:
    model = network()
    average = Average(model, WeightAverage(decay=0.9))
    first = model.get_weights()
    for variable in model.variables:
        variable.assign(variable + 1.0)
    own = model.get_weights()
    with averaged(average):
        assert all(np.array_equal(one, other) for one, other in zip(first, model.get_weights(), strict=True))
    assert all(np.array_equal(one, other) for one, other in zip(own, model.get_weights(), strict=True))


def test_a_run_ends_with_the_average_of_the_weights_after_each_update(make_task: MakeTask, watcher: Any) -> None:
    settings = {"steps": 5, "epochs": None, "steps_per_call": 1, "validate_every": 1}
    plain, task = make_task(**settings), make_task(**settings, weight_average={"decay": 0.5})
    expected = [weights.copy() for weights in plain.model.get_weights()]
    updates = 0

    def take_in(row: Any, model: Any) -> None:
        nonlocal updates
        del row
        updates += 1
        decay = min(0.5, (1 + updates) / (10 + updates))
        for place, weights in enumerate(model.get_weights()):
            expected[place] = decay * expected[place] + (1 - decay) * weights

    watcher.measured = take_in
    fit(plain, watcher)
    del watcher.measured
    fit(task, watcher)
    assert updates == 5
    for found, wanted in zip(task.model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    assert all(np.array_equal(one, other) for one, other in zip(watcher.last, task.model.get_weights(), strict=True))


def test_the_model_has_its_own_weights_again_after_a_block_that_failed() -> None:
    model = network()
    average = Average(model, WeightAverage(decay=0.9))
    for variable in model.variables:
        variable.assign(variable + 1.0)
    own = model.get_weights()
    with pytest.raises(OSError, match="disk"), averaged(average):
        raise OSError("disk")
    assert all(np.array_equal(one, other) for one, other in zip(own, model.get_weights(), strict=True))
