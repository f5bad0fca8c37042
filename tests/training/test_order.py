from __future__ import annotations

import numpy as np
import pytest

from imgclf.training.order import Order


def epoch(order: Order, number: int) -> np.ndarray:
    return np.concatenate([order.indices(number, step) for step in range(order.steps)])


@pytest.mark.parametrize(("images", "batch"), [(1000, 64), (64, 64), (65, 64), (7, 1)])
def test_an_epoch_visits_each_image_at_most_once_and_leaves_out_the_last_partial_batch(images: int, batch: int) -> None:
    order = Order(images, batch, seed=7)
    for number in range(3):
        visited = epoch(order, number)
        assert order.steps == images // batch
        assert len(np.unique(visited)) == len(visited) == images // batch * batch
        assert visited.min() >= 0
        assert visited.max() < images


def test_other_images_are_left_out_in_other_epochs() -> None:
    order = Order(100, 30, seed=0)
    left_out = [frozenset(range(100)) - set(epoch(order, number).tolist()) for number in range(20)]
    assert all(len(images) == 10 for images in left_out)
    assert len(set(left_out)) == 20


def test_the_order_depends_on_seed_and_epoch() -> None:
    first = epoch(Order(1000, 64, seed=7), 0)
    assert not np.array_equal(first, epoch(Order(1000, 64, seed=7), 1))
    assert not np.array_equal(first, epoch(Order(1000, 64, seed=8), 0))
    assert not np.array_equal(first, np.sort(first))


def test_the_order_depends_on_nothing_that_was_asked_before() -> None:
    wanted = epoch(Order(1000, 64, seed=7), 5)
    wandering = Order(1000, 64, seed=7)
    for number, step in ((0, 3), (9, 1), (5, 2)):
        wandering.indices(number, step)
    assert np.array_equal(epoch(wandering, 5), wanted)


@pytest.mark.parametrize("steps_per_call", [1, 4, 15])
def test_steps_taken_together_are_the_steps_taken_singly(steps_per_call: int) -> None:
    order = Order(1000, 64, seed=7)
    together = [
        order.indices(2, step, min(steps_per_call, order.steps - step))
        for step in range(0, order.steps, steps_per_call)
    ]
    assert np.array_equal(np.concatenate(together), epoch(order, 2))


def test_every_image_comes_first_about_as_often_as_any_other() -> None:
    first = [int(Order(5, 5, seed=3).indices(number, 0)[0]) for number in range(1000)]
    assert np.bincount(first).min() > 150  # 200 expected, standard deviation 12.6
