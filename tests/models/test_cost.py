"""Multiply-adds and memory against published figures, formulas, and networks of the same work written another way."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from imgclf.models.cost import activation_bytes, multiply_adds, parameter_bytes
from imgclf.models.heads import build_model
from imgclf.models.lenet import LeNet


def cost(layer: keras.Layer, *shape: int) -> int:
    image = layers.Input(shape)
    return multiply_adds(keras.Model(image, layer(image)))


def test_lenet_costs_what_its_layers_add_up_to() -> None:
    model = build_model(LeNet(name="lenet"), (28, 28, 1), {"label": 10})
    assert multiply_adds(model) == 28 * 28 * 25 * 20 + 14 * 14 * 25 * 20 * 50 + 50 * 7 * 7 * 500 + 500 * 10
    assert parameter_bytes(model) == 4 * 1_256_080
    maps = 28 * 28 * 20 + 14 * 14 * 20 + 14 * 14 * 50 + 7 * 7 * 50
    assert activation_bytes(model) == 4 * (28 * 28 + maps + 2450 + 500 + 10)


@pytest.mark.slow  # builds three large networks
@pytest.mark.parametrize(
    ("name", "published", "digits"), [("VGG16", 15.47, 2), ("MobileNetV2", 0.30, 2), ("ResNet50", 3.86, 2)]
)
def test_published_networks_have_their_published_multiply_adds(name: str, published: float, digits: int) -> None:
    model = getattr(keras.applications, name)(weights=None)
    assert round(multiply_adds(model) / 1e9, digits) == published


def test_strides_groups_and_dilation_of_a_convolution_count() -> None:
    assert cost(layers.Conv2D(8, 3, 2, padding="same", groups=2), 9, 7, 4) == (5 * 4) * (3 * 3 * 2) * 8
    assert cost(layers.Conv2D(8, 3, dilation_rate=2), 9, 7, 4) == (5 * 3) * (3 * 3 * 4) * 8
    assert cost(layers.Conv2D(8, (1, 3), data_format="channels_first"), 4, 9, 7) == (9 * 5) * (3 * 4) * 8


def test_depthwise_separable_and_transposed_convolutions_count() -> None:
    assert cost(layers.DepthwiseConv2D(3, 2, depth_multiplier=2), 9, 9, 5) == (4 * 4) * (3 * 3) * 10
    separable = cost(layers.SeparableConv2D(7, 3, depth_multiplier=2), 6, 6, 5)
    assert separable == (4 * 4) * (3 * 3 * 10 + 10 * 7)
    # Each pixel of the input is spread over the kernel once for every map.
    assert cost(layers.Conv2DTranspose(6, 4, 2, padding="same"), 5, 3, 2) == (5 * 3) * (4 * 4 * 2) * 6


def test_a_dense_layer_on_maps_works_at_every_pixel() -> None:
    assert cost(layers.Dense(6), 5, 3, 4) == 5 * 3 * 4 * 6


@pytest.mark.parametrize(
    ("equation", "output_shape", "shape", "written_out"),
    [
        ("abc,cd->abd", (None, 6), (5, 4), "abc,cd->abd"),
        ("abc,cde->abde", (None, 2, 3), (5, 4), "abc,cde->abde"),
        ("abcd,cde->abe", (None, 6), (5, 4, 3), "abcd,cde->abe"),
        ("abc,bd->adc", (6, None), (5, 4), "abc,bd->adc"),
        ("...x,xy->...y", (6,), (5, 4, 3), "abcx,xy->abcy"),
    ],
)  # fmt: skip
def test_an_einsum_layer_costs_what_numpy_counts(
    equation: str, output_shape: tuple[int | None, ...], shape: tuple[int, ...], written_out: str
) -> None:
    layer = layers.EinsumDense(equation, output_shape)
    multiplied = cost(layer, *shape)
    report = np.einsum_path(written_out, np.empty((1, *shape)), np.empty(layer.kernel.shape))[1]
    operations = float(report.split("Naive FLOP count:")[1].split()[0])  # a multiplication and an addition are two
    assert 2 * multiplied == pytest.approx(operations, rel=1e-3)


def test_multi_head_attention_costs_its_projections_and_its_two_products() -> None:
    image = layers.Input((6, 8))
    other = layers.Input((5, 7))
    attended = layers.MultiHeadAttention(num_heads=3, key_dim=4, value_dim=2)(image, other)
    projections = 6 * 8 * 12 + 5 * 7 * 12 + 5 * 7 * 6 + 6 * 6 * 8
    assert multiply_adds(keras.Model([image, other], attended)) == projections + 3 * 6 * 5 * (4 + 2)


def test_models_inside_the_model_count_and_layers_that_are_called_twice_count_twice() -> None:
    body = keras.Sequential([layers.Input((8, 8, 2)), layers.Conv2D(2, 3, padding="same"), layers.ReLU()])
    image = layers.Input((8, 8, 2))
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(body(body(image)))))
    assert multiply_adds(model) == 2 * (64 * 9 * 2 * 2) + 128 * 3
    assert activation_bytes(model) == 4 * (128 + 4 * 128 + 128 + 3)
    assert parameter_bytes(model) == 4 * ((9 * 2 * 2 + 2) + (128 * 3 + 3))


def test_what_does_not_multiply_and_add_costs_nothing() -> None:
    image = layers.Input((8, 8, 2))
    maps = layers.BatchNormalization()(image) * 2.0
    assert multiply_adds(keras.Model(image, layers.MaxPooling2D()(layers.ReLU()(maps)))) == 0


def test_unknown_sizes_count_as_one() -> None:
    assert cost(layers.Conv2D(3, 5, padding="same"), None, None, 2) == 5 * 5 * 2 * 3  # type: ignore[arg-type]
