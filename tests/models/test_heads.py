from __future__ import annotations

import numpy as np

from imgclf.models.base import HeadSettings
from imgclf.models.heads import attach_heads, build_model, head_name
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
    model = attach_heads(body, {"digit": 5}, HeadSettings())
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
