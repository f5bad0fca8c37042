from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from imgclf.models.googlenet import GoogLeNet
from imgclf.models.heads import build_model

# Szegedy et al. (2015), table 1: output size, then #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.
TABLE_1 = """
3a 28 64 96 128 16 32 32
3b 28 128 128 192 32 96 64
4a 14 192 96 208 16 48 64
4b 14 160 112 224 24 64 64
4c 14 128 128 256 24 64 64
4d 14 112 144 288 32 64 64
4e 14 256 160 320 32 128 128
5a 7 256 160 320 32 128 128
5b 7 384 192 384 48 128 128
"""
OUTPUTS = {"3a": 256, "3b": 480, "4a": 512, "4b": 512, "4c": 512, "4d": 528, "4e": 832, "5a": 832, "5b": 1024}
ROWS = {row.split()[0]: [int(number) for number in row.split()[1:]] for row in TABLE_1.strip().splitlines()}


def parameters(kernel: int, before: int, after: int) -> int:
    return (kernel**2 * before + 1) * after


def by_the_table(classes: int) -> int:
    """Weights and biases by the table, its printed outputs as the inputs of the next row."""
    total = parameters(7, 3, 64) + parameters(1, 64, 64) + parameters(3, 64, 192) + parameters(1, 1024, classes)
    for before, row in zip([192, *OUTPUTS.values()], ROWS.values(), strict=False):
        _, point, reduce_3, out_3, reduce_5, out_5, projection = row
        total += parameters(1, before, point + reduce_3 + reduce_5 + projection)
        total += parameters(3, reduce_3, out_3) + parameters(5, reduce_5, out_5)
    return total


@pytest.fixture(scope="module")
def network() -> Any:
    return build_model(GoogLeNet(name="googlenet"), (224, 224, 3), {"label": 1000})


def test_it_has_the_published_number_of_parameters(network: Any) -> None:
    assert network.count_params() == by_the_table(1000) == 6_998_552


def test_each_module_has_the_size_and_the_maps_of_table_1(network: Any) -> None:
    stem = {name: network.get_layer(name).output.shape[1:] for name in ("conv_1", "pool_1", "conv_2", "pool_2")}
    assert stem == {"conv_1": (112, 112, 64), "pool_1": (56, 56, 64), "conv_2": (56, 56, 192), "pool_2": (28, 28, 192)}
    for place, (side, *_) in ROWS.items():
        assert network.get_layer(f"concat_{place}").output.shape[1:] == (side, side, OUTPUTS[place])
    assert network.get_layer("average").output.shape == (None, 1024)


def test_the_four_branches_of_a_module_start_from_the_same_maps(network: Any) -> None:
    maps = network.get_layer("concat_4b").output
    for name in ("conv_4c_1x1", "conv_4c_3x3_reduce", "conv_4c_5x5_reduce", "pool_4c"):
        assert network.get_layer(name).input is maps
    for first, then in (("conv_4c_3x3_reduce", "conv_4c_3x3"), ("conv_4c_5x5_reduce", "conv_4c_5x5"),
                        ("pool_4c", "conv_4c_projection")):  # fmt: skip
        assert network.get_layer(then).input is network.get_layer(first).output
    joined = [tensor._keras_history.operation.name for tensor in network.get_layer("concat_4c").input]
    assert joined == [f"conv_4c_{branch}" for branch in ("1x1", "3x3", "5x5", "projection")]


def test_poolings_stand_between_the_stages(network: Any) -> None:
    chain = [("concat_3b", "pool_3"), ("pool_3", "conv_4a_1x1"), ("concat_4e", "pool_4"), ("pool_4", "conv_5a_1x1")]
    assert all(network.get_layer(then).input is network.get_layer(first).output for first, then in chain)
    assert [network.get_layer(name).strides for name in ("pool_3", "pool_4", "pool_4a")] == [(2, 2), (2, 2), (1, 1)]


def test_any_size_of_image_and_any_number_of_modules_builds() -> None:
    module = (1, 2, 3, 4, 5, 6)
    settings = GoogLeNet(name="googlenet", stem_filters=(2, 2, 2), stages=((module,) * 3, (module,) * 2))
    model = build_model(settings, (1, 5, 3), {"label": 2})
    names = [layer.name for layer in model.layers if layer.name.startswith("concat")]
    assert all(first < then for first, then in pairwise(names))
    assert names == ["concat_3a", "concat_3b", "concat_3c", "concat_4a", "concat_4b"]
    assert model.get_layer("average").output.shape == (None, 1 + 3 + 5 + 6)
