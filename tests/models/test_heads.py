from __future__ import annotations

import numpy as np
import pytest

from imgclf.models.heads import (
    SOFTMAX,
    HeadSettings,
    SigmoidHead,
    SoftmaxHead,
    attach_heads,
    build_model,
    cut,
    head_name,
    is_of_head,
)
from imgclf.models.mlp import Mlp

SETTINGS = Mlp(name="mlp", dense_units=(6,))


def test_one_target_gives_its_logits() -> None:
    model = build_model(SETTINGS, (4, 4, 1), {"digit": 10})
    assert model.output_shape == (None, 10)
    assert model.layers[-1].name == head_name("digit") == "logits_digit"


def test_several_targets_give_a_list_in_their_order_on_one_body() -> None:
    model = build_model(SETTINGS, (4, 4, 1), {"pattern": 3, "colour": 7})
    assert model.output_shape == [(None, 3), (None, 7)]
    assert [layer.name for layer in model.layers].count("dense_1") == 1
    assert model.count_params() == 16 * 6 + 6 + (6 * 3 + 3) + (6 * 7 + 7)


def test_a_head_is_a_linear_layer_on_the_features() -> None:
    import keras

    body = SETTINGS.build_body((4, 4, 1))
    model = attach_heads(body, {"digit": 5}, SOFTMAX)
    images = np.random.default_rng(0).random((3, 4, 4, 1), np.float32)
    kernel, bias = model.get_layer("logits_digit").get_weights()
    features = keras.ops.convert_to_numpy(body(images))
    np.testing.assert_allclose(model(images), features @ kernel + bias, rtol=1e-5, atol=1e-6)


def test_calling_a_model_with_images_alone_warns_of_nothing() -> None:
    # Warnings are errors in these tests.
    assert build_model(SETTINGS, (4, 4, 1), {"digit": 5})(np.zeros((2, 4, 4, 1), np.float32)).shape == (2, 5)


def test_a_target_may_have_any_name_and_no_two_layers_have_one() -> None:
    names = ["Größe in cm", "a/b", "a.b", "a.2f.b", "形\n", "a\\b"]
    model = build_model(SETTINGS, (4, 4, 1), dict.fromkeys(names, 2))
    assert len(model(np.zeros((1, 4, 4, 1), np.float32))) == len({head_name(name) for name in names}) == len(names)
    assert head_name("left_eye-2") == "logits_left_eye-2"


def test_a_sigmoid_head_has_one_unit_whose_sigmoid_is_the_second_classs_probability() -> None:
    import keras

    settings = Mlp(name="mlp", dense_units=(6,), head=SigmoidHead(name="sigmoid"))
    body_weights, model = 16 * 6 + 6, build_model(settings, (4, 4, 1), {"animal": 2})
    images = np.random.default_rng(0).random((3, 4, 4, 1), np.float32)
    logits = keras.ops.convert_to_numpy(model(images))
    unit = keras.Model(model.input, model.get_layer("logits_animal").output)
    sigmoid = 1 / (1 + np.exp(-keras.ops.convert_to_numpy(unit(images))[:, 0]))
    assert model.count_params() == body_weights + 6 + 1
    np.testing.assert_allclose(np.exp(logits[:, 1]) / np.exp(logits).sum(axis=1), sigmoid, rtol=1e-5)


def test_a_sigmoid_head_refuses_three_classes() -> None:
    assert SigmoidHead(name="sigmoid").problem("animal", 2) is None
    assert "must have 2 classes" in str(SigmoidHead(name="sigmoid").problem("animal", 3))


def test_the_heads_own_layers_lie_between_features_and_logits_once_for_all_targets() -> None:
    head = SoftmaxHead(name="softmax", dense_units=(5, 4), dropout=0.5)
    model = build_model(Mlp(name="mlp", dense_units=(6,), head=head), (4, 4, 1), {"pattern": 3, "colour": 7})
    names = [layer.name for layer in model.layers if is_of_head(layer)]
    assert names[:4] == ["head_dense_1", "head_dense_dropout_1", "head_dense_2", "head_dense_dropout_2"]
    assert sorted(names[4:]) == ["logits_colour", "logits_pattern"]
    assert model.count_params() == (16 * 6 + 6) + (6 * 5 + 5) + (5 * 4 + 4) + (4 * 3 + 3) + (4 * 7 + 7)


@pytest.mark.parametrize("head", [SOFTMAX, SoftmaxHead(name="softmax", dense_units=(5,), dropout=0.5)])
def test_body_and_head_one_after_the_other_are_the_model_and_share_its_weights(head: HeadSettings) -> None:
    model = build_model(Mlp(name="mlp", dense_units=(6,), head=head), (4, 4, 1), {"pattern": 3, "colour": 2})
    body, rest = cut(model)
    images = np.random.default_rng(0).random((3, 4, 4, 1), np.float32)
    for whole, parts in zip(model(images), rest(body(images)), strict=True):
        np.testing.assert_array_equal(whole, parts)
    assert {id(one) for one in model.variables} == {id(one) for one in body.variables + rest.variables}
