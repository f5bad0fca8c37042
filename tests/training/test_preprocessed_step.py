"""Preprocessing inside the compiled step: after the augmentation, in float32 whatever the network computes in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from imgclf.augmentation.shift import Shift
from imgclf.inference import Forward
from imgclf.preprocessing import PreprocessingSettings
from imgclf.preprocessing.fit import fit as fit_preprocessing
from imgclf.training.loop import fit, prepare
from imgclf.training.task import Task

WHITENING = PreprocessingSettings(normalization={"name": "featurewise"}, whitening={"name": "zca", "epsilon": 1e-3})


def whitened(task: Task) -> Task:
    preprocessing = fit_preprocessing(WHITENING, task.train.pixels, (8, 8, 1)).preprocessing
    return replace(task, preprocessing=preprocessing)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_step_augments_then_whitens_in_float32(make_task: Callable[..., Task], precision: str) -> None:
    import tensorflow as tf

    task = whitened(make_task(precision=precision, augmentations=(Shift(name="shift", pixels=1),)))
    images = task.train.pixels.take(np.arange(4))
    numbers = np.array([[0.0, 0.5], [0.5, 0.99], [0.5, 0.5], [0.5, 0.5]], np.float32)
    step = prepare(task, 0, task.stages[0])
    result = tf.function(step.prepared)(tf.constant(images), tf.constant(numbers)).numpy()
    assert result.dtype == np.float32

    moved = images.copy()
    moved[0, 1:], moved[0, 0] = images[0, :-1], 0
    moved[1, :, :-1], moved[1, :, -1] = images[1, :, 1:], 0
    pixels = task.train.pixels.take(np.arange(len(task.train.labels))) / 255
    mean, deviation = pixels.mean(), pixels.std() + 1e-6
    train = ((pixels - mean) / deviation).reshape(-1, 64)
    variances, directions = np.linalg.eigh(np.cov(train, rowvar=False))
    matrix = directions @ np.diag((variances + 1e-3) ** -0.5) @ directions.T
    wanted = ((moved / 255 - mean) / deviation).reshape(4, 64) @ matrix - train.mean(axis=0) @ matrix
    np.testing.assert_allclose(result.reshape(4, 64), wanted, rtol=1e-3, atol=1e-3)


def test_a_network_learns_from_whitened_images_and_validation_sees_the_same(
    make_task: Callable[..., Task], watcher: Any
) -> None:
    task = whitened(make_task(epochs=6, precision="bfloat16", optimizer={"name": "adam", "learning_rate": 0.01}))
    rows = fit(task, watcher).history
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert task.validation is not None
    logits = Forward(task.model, task.preprocessing.apply).logits(task.validation.pixels)[0]
    assert rows[-1]["validation_accuracy"] == np.mean(logits.argmax(axis=1) == task.validation.labels[:, 0])
