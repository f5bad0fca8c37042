from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from imgclf.models.local_response import LocalResponse, layer_class, standard_layers


@pytest.mark.parametrize("radius", [1, 3])
def test_each_value_is_divided_by_the_power_of_its_neighbours(radius: int) -> None:
    maps = np.random.default_rng(0).normal(size=(2, 3, 4, 6)).astype(np.float32)
    layer = LocalResponse(depth_radius=radius, bias=1.5, alpha=0.3, beta=0.6).layer("response")
    near = np.abs(np.subtract.outer(np.arange(6), np.arange(6))) <= radius
    wanted = maps / (1.5 + 0.3 * (maps.astype(float) ** 2 @ near)) ** 0.6
    np.testing.assert_allclose(layer(maps), wanted, rtol=1e-5)


def test_the_layers_of_keras_that_stand_for_it_compute_the_same() -> None:
    maps = np.random.default_rng(0).normal(size=(2, 3, 4, 6)).astype(np.float32)
    layer = LocalResponse(depth_radius=2, bias=1.5, alpha=0.3, beta=0.6).layer("response")
    layer(keras.Input((3, 4, 6)))
    near = np.abs(np.subtract.outer(np.arange(6), np.arange(6))) <= 2
    wanted = maps / (1.5 + 0.3 * (maps.astype(float) ** 2 @ near)) ** 0.6
    np.testing.assert_allclose(standard_layers(layer)(maps), wanted, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_it_works_in_each_precision(dtype: str) -> None:
    import tensorflow as tf

    maps = tf.random.stateless_normal((2, 3, 4, 6), seed=(0, 1))
    layer = layer_class()(2, 1.0, 0.5, 0.75, dtype=f"mixed_{dtype}")
    with tf.GradientTape() as tape:
        tape.watch(maps)
        normalized = layer(maps)
    assert normalized.dtype == dtype
    exact = layer_class()(2, 1.0, 0.5, 0.75)(maps)
    np.testing.assert_allclose(tf.cast(normalized, "float32"), exact, rtol=0.02, atol=0.01)
    assert np.isfinite(tape.gradient(normalized, maps)).all()


def test_a_network_with_it_is_saved_and_loaded_in_keras_own_format(tmp_path: Path) -> None:
    image = keras.layers.Input((4, 4, 3))
    model = keras.Model(image, LocalResponse(alpha=0.7).layer("response")(image))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(0).random((2, 4, 4, 3), np.float32)
    assert np.array_equal(model(images), loaded(images))
    assert loaded.get_layer("response").get_config() == model.get_layer("response").get_config()
