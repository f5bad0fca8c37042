from __future__ import annotations

import numpy as np
import pytest

from imgclf.training.loss import Focal, Loss, Mix


def make_logits(images: int = 40, classes: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.random.default_rng(seed)
    return numbers.normal(0, 3, (images, classes)).astype(np.float32), numbers.integers(0, classes, images)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_is_the_cross_entropy_of_keras_with_its_label_smoothing(smoothing: float) -> None:
    import keras

    logits, labels = make_logits()
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    wanted = float(theirs(np.eye(5, dtype=np.float32)[labels], logits))
    assert float(Loss(smoothing, (None,))([logits], labels[:, None])) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_class_weights_multiply_each_image_and_the_mean_is_over_images_as_in_keras(smoothing: float) -> None:
    import keras

    logits, labels = make_logits()
    weights = np.array([0.5, 1, 2, 4, 0.25], np.float32)
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    wanted = float(theirs(np.eye(5, dtype=np.float32)[labels], logits, sample_weight=weights[labels]))
    assert float(Loss(smoothing, (weights,))([logits], labels[:, None])) == pytest.approx(wanted, rel=1e-6)


def test_losses_of_several_targets_are_added() -> None:
    first, first_labels = make_logits(classes=5, seed=1)
    second, second_labels = make_logits(classes=3, seed=2)
    weights = np.array([3, 1, 2], np.float32)
    together = Loss(0.1, (None, weights))([first, second], np.stack([first_labels, second_labels], axis=1))
    apart = Loss(0.1, (None,))([first], first_labels[:, None]), Loss(0.1, (weights,))([second], second_labels[:, None])
    assert float(together) == pytest.approx(float(apart[0]) + float(apart[1]), rel=1e-6)


def test_logits_of_any_size_give_a_finite_loss() -> None:
    logits = np.array([[1e30, -1e30], [-1e30, 1e30]], np.float32)
    assert float(Loss(0.0, (None,))([logits], np.array([[0], [1]]))) == 0.0


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_mixed_images_is_that_of_keras_with_the_mixed_labels(smoothing: float) -> None:
    import keras

    logits, labels = make_logits()
    _, partners = make_logits(seed=1)
    own = np.random.default_rng(2).random(40, np.float32)
    mixed = own[:, None] * np.eye(5)[labels] + (1 - own[:, None]) * np.eye(5)[partners]
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    wanted = float(theirs(mixed.astype(np.float32), logits))
    found = Loss(smoothing, (None,))([logits], labels[:, None], Mix(partners[:, None], own))
    assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_class_weights_of_mixed_images_weigh_each_label_with_its_share() -> None:
    logits, labels = make_logits()
    partners, own = np.roll(labels, -1), np.random.default_rng(2).random(40, np.float32)
    weights = np.array([0.5, 1, 2, 4, 0.25], np.float32)
    log_probabilities = logits - np.log(np.exp(logits.astype(np.float64)).sum(axis=1, keepdims=True))
    each = np.arange(40)
    mass = own * weights[labels] * log_probabilities[each, labels]
    mass += (1 - own) * weights[partners] * log_probabilities[each, partners]
    found = Loss(0.0, (weights,))([logits], labels[:, None], Mix(partners[:, None], own))
    assert float(found) == pytest.approx(-mass.mean(), rel=1e-5)


def test_the_focal_loss_is_that_of_keras() -> None:
    import keras

    logits, labels = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32) * 3, np.arange(20) % 4
    theirs = keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=1.5, from_logits=True)
    expected = float(theirs(np.eye(4, dtype=np.float32)[labels], logits))
    found = float(Loss(0.0, (None,), Focal(name="focal", gamma=1.5))([logits], labels[:, None].astype(np.int32)))
    assert np.isclose(found, expected, rtol=1e-4)


def test_the_focal_loss_of_a_certain_answer_has_a_finite_gradient() -> None:
    import tensorflow as tf

    logits = tf.Variable([[60.0, -60.0], [-60.0, 60.0]])
    with tf.GradientTape() as tape:
        loss = Loss(0.0, (None,), Focal(name="focal", gamma=0.5))([logits], np.zeros((2, 1), np.int32))
    assert np.isfinite(tape.gradient(loss, logits).numpy()).all()
