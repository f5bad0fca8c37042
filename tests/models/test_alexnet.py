from __future__ import annotations

from itertools import pairwise

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from imgclf.models.alexnet import AlexNet
from imgclf.models.heads import build_model
from imgclf.models.initializers import PlainInitializer


def published_parameters(filters: tuple[int, ...], classes: int) -> int:
    """Weights and biases by the table of the paper, without groups: 6x6 maps are left of 227x227 pixels."""
    kernels = [11, 5, 3, 3, 3]
    convolutions = sum(
        (kernel**2 * before + 1) * after for kernel, before, after in zip(kernels, (3, *filters), filters, strict=False)
    )
    dense = [6 * 6 * filters[-1], 4096, 4096, classes]
    return convolutions + sum((before + 1) * after for before, after in pairwise(dense))


@pytest.mark.slow  # 62 million weights
@pytest.mark.parametrize("normalization", [True, False])
def test_it_has_the_published_number_of_parameters(normalization: bool) -> None:
    settings = AlexNet(
        name="alexnet",
        local_response_normalization=normalization,
        kernel_initializer=PlainInitializer(name="zeros"),
    )
    model = build_model(settings, (227, 227, 3), {"label": 1000})
    assert model.count_params() == published_parameters((96, 256, 384, 384, 256), 1000) == 62_378_344
    maps = {name: model.get_layer(name).output.shape[1] for name in ("conv_1", "pool_1", "pool_2", "pool_5")}
    assert maps == {"conv_1": 55, "pool_1": 27, "pool_2": 13, "pool_5": 6}
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("LocalResponseNormalization") == (2 if normalization else 0)


def test_it_states_its_smallest_image() -> None:
    assert AlexNet(name="alexnet").smallest_image() == (67, 67)
    small = AlexNet(name="alexnet", first_strides=1, kernel_sizes=(3, 5, 3, 3, 3))
    assert small.smallest_image() == (17, 17)
    assert AlexNet(name="alexnet", padding="same").smallest_image() == (1, 1)


def test_normalisation_stands_between_activation_and_pooling() -> None:
    settings = AlexNet(name="alexnet", filters=(3, 2, 2, 2, 2), dense_units=(2,))
    model = build_model(settings, (67, 67, 1), {"label": 2})
    images = np.random.default_rng(0).random((2, 67, 67, 1), np.float32)
    inside = keras.Model(model.inputs[0], [model.get_layer(name).output for name in ("conv_1", "response_1")])
    rectified, normalized = (keras.ops.convert_to_numpy(maps) for maps in inside(images))
    assert rectified.min() == 0
    np.testing.assert_allclose(normalized, over_neighbours(rectified), rtol=1e-5)
    assert model.get_layer("pool_1").input is model.get_layer("response_1").output


def over_neighbours(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """The formula of section 3.3 with k = 2, n = 5, alpha = 1e-4 and beta = 0.75, map by map."""
    count = maps.shape[-1]
    squares = maps.astype(float) ** 2
    sums = [squares[..., max(0, i - 2) : min(count - 1, i + 2) + 1].sum(axis=-1) for i in range(count)]
    return maps / (2 + 1e-4 * np.stack(sums, axis=-1)) ** 0.75
