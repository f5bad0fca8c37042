from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imgclf.training.dropout import Seeds


@pytest.fixture(scope="module")
def model() -> Any:
    import keras

    images = keras.Input((400,))
    first = keras.layers.Dropout(0.5)(images)
    return keras.Model(images, [first, keras.layers.Dropout(0.5)(images)])


def masks(model: Any, step: int, seed: int = 3, replica: int = 0, replicas: int = 1) -> np.ndarray:
    """What the two dropouts let through of 2 images of 400 ones: (2, 2, 400)."""
    import tensorflow as tf

    Seeds(model, seed).set(tf.constant(step, tf.int64), replica, replicas)
    return np.stack([output.numpy() != 0 for output in model(tf.ones((2, 400)), training=True)])


def test_a_mask_depends_on_its_position_and_not_on_what_was_drawn_before(model: Any) -> None:
    wanted = masks(model, step=7)
    for step in (0, 8, 7):
        masks(model, step)
    assert np.array_equal(masks(model, step=7), wanted)


def test_steps_seeds_replicas_layers_and_images_have_masks_of_their_own(model: Any) -> None:
    drawn = [
        masks(model, step=7),
        masks(model, step=8),
        masks(model, step=7, seed=4),
        masks(model, step=7, replica=0, replicas=2),
        masks(model, step=7, replica=1, replicas=2),
    ]
    rows = np.concatenate([mask.reshape(-1, 400) for mask in drawn])
    agreement = [np.mean(rows[i] == rows[j]) for i in range(len(rows)) for j in range(i)]
    # Two independent masks of 400 agree in half of their places, give or take 0.025.
    assert min(agreement) > 0.35
    assert max(agreement) < 0.65


def test_masks_of_all_replicas_and_steps_are_different_positions(model: Any) -> None:
    drawn = {masks(model, step, replica=replica, replicas=2).tobytes() for step in range(6) for replica in range(2)}
    assert len(drawn) == 12
