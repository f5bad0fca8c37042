from __future__ import annotations

import inspect

import numpy as np
import pytest

from imgclf.models.application import Application
from imgclf.models.initializers import RANDOM, zeros_for_random


@pytest.mark.parametrize("name", [*RANDOM, *RANDOM.values()])
def test_every_random_initialiser_of_keras_gives_zeros_inside_and_numbers_outside(name: str) -> None:
    import keras

    with zeros_for_random():
        zeros = keras.initializers.get(name)
    assert type(zeros) is keras.initializers.Zeros
    assert not np.any(zeros((4, 4)))
    assert np.any(keras.initializers.get(name)((4, 4)))


def test_all_random_initialisers_that_keras_exports_are_known() -> None:
    import keras

    exported = {one for one in vars(keras.initializers).values() if isinstance(one, type)}
    seeded = {one.__name__ for one in exported if "seed" in inspect.signature(one.__init__).parameters}
    assert {name.removesuffix("Initializer") for name in seeded} == set(RANDOM)


def test_a_published_network_is_built_without_random_numbers() -> None:
    with zeros_for_random():
        body = Application(name="application", application="MobileNetV3Small").build_body((32, 32, 3))
    kernels = [weight for weight in body.weights if weight.name == "kernel"]
    assert len(kernels) > 50
    assert not any(np.any(kernel.numpy()) for kernel in kernels)
