"""The network in front of which a learned transform stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage
from sklearn.datasets import load_digits

from imgclf.models.affine import Transform
from imgclf.models.heads import build_model
from imgclf.models.simple_cnn import SimpleCnn
from imgclf.models.spatial_transformer import SpatialTransformer
from imgclf.runs.weights import load_weights, save_weights

IMAGES = np.random.default_rng(0).random((5, 14, 18, 2), np.float32)
TRANSFORMS: tuple[Transform, ...] = ("affine", "rotation", "translation_scale")


def small(transform: Transform = "affine") -> SpatialTransformer:
    return SpatialTransformer(
        name="spatial_transformer",
        transform=transform,
        localisation_filters=(3,),
        localisation_dense_units=(4,),
        blocks=((3,), (5,)),
        dense_units=(6,),
    )


def build(settings: Any, shape: tuple[int, int, int] = (14, 18, 2), classes: int = 10) -> Any:
    return build_model(settings, shape, {"label": classes})


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_untrained_it_is_the_network_behind_the_sampler(transform: Transform) -> None:
    ours = build(small(transform))
    alone = build(
        SimpleCnn(name="simple_cnn", blocks=((3,), (5,)), flatten_dropout=0.0, dense_units=(6,), dense_dropout=0.0)
    )
    for layer in alone.layers[1:]:
        layer.set_weights(ours.get_layer(layer.name).get_weights())
    np.testing.assert_allclose(ours(IMAGES).numpy(), alone(IMAGES).numpy(), atol=1e-4)


def test_layers_lie_flat_and_have_names_of_their_own() -> None:
    for _ in range(2):
        model = build(small())
        assert [layer.name for layer in model.layers] == [
            "image",
            "localisation_pool_1",
            "localisation_conv_1",
            "localisation_flatten",
            "localisation_dense_1",
            "transform",
            "sampler",
            "conv_1_1",
            "pool_1",
            "conv_2_1",
            "pool_2",
            "flatten",
            "dense_1",
            "logits_label",
        ]


def test_it_has_the_parameters_of_its_layers() -> None:
    localisation = (25 * 2 * 3 + 3) + (7 * 9 * 3 * 4 + 4) + (4 * 6 + 6)
    network = (9 * 2 * 3 + 3) + (9 * 3 * 5 + 5) + (2 * 3 * 5 * 6 + 6)
    build_of = build(small())
    assert [layer.output.shape[1:] for layer in build_of.layers if layer.name == "pool_2"] == [(2, 3, 5)]
    assert build_of.count_params() == localisation + network + (6 * 10 + 10)


def test_the_image_layer_is_the_samplers_and_has_its_size() -> None:
    settings = small().model_copy(update={"sampled_size": (12, 10)})
    name = settings.image_layer()
    assert build(settings).get_layer(name).output.shape == (None, 12, 10, 2)
    assert build(small()).get_layer(name).output.shape == (None, 14, 18, 2)
    assert SimpleCnn(name="simple_cnn").image_layer() is None


def test_a_sampled_size_that_is_too_small_for_the_blocks_is_refused() -> None:
    with pytest.raises(ValidationError, match="must be at least 10x10 for these blocks; got 9x20"):
        SpatialTransformer(name="spatial_transformer", sampled_size=(9, 20))


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_saved_and_loaded_weights_predict_equally(transform: Transform, tmp_path: Path) -> None:
    numbers = np.random.default_rng(1)
    model, other = build(small(transform)), build(small(transform))
    model.set_weights([array + numbers.normal(0, 0.2, array.shape) for array in model.get_weights()])
    save_weights(model, tmp_path / "a.weights.h5")
    assert not np.allclose(other(IMAGES).numpy(), model(IMAGES).numpy(), atol=1e-3)
    load_weights(other, tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(other(IMAGES).numpy(), model(IMAGES).numpy())


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_transform_and_sampler_compute_in_float32_under_any_policy(policy: str) -> None:
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = build(small())
    finally:
        keras.config.set_dtype_policy(before)
    assert {model.get_layer(name).compute_dtype for name in ("transform", "sampler", "logits_label")} == {"float32"}
    assert model.get_layer("conv_1_1").compute_dtype == policy.removeprefix("mixed_")
    assert np.isfinite(model(IMAGES).numpy()).all()


@pytest.mark.slow  # trains for half a minute
def test_it_learns_from_labels_alone_to_undo_a_rotation() -> None:
    import keras

    keras.utils.set_random_seed(0)
    digits = load_digits()
    angles = np.random.default_rng(0).uniform(-90, 90, 4 * len(digits.images))
    upright = np.tile(np.pad(digits.images, ((0, 0), (2, 2), (2, 2))) / 16, (4, 1, 1))
    images = np.array(
        [ndimage.rotate(one, angle, reshape=False, order=1) for one, angle in zip(upright, angles, strict=True)]
    )[..., np.newaxis].astype(np.float32)
    settings = SpatialTransformer(
        name="spatial_transformer", transform="rotation", blocks=((4,), (8,)), padding="same", dense_units=()
    )
    model = build(settings, (12, 12, 1))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.005), loss, jit_compile=False)
    model.fit(images, np.tile(digits.target, 4), batch_size=64, epochs=15, verbose=0)
    found = keras.Model(model.inputs[0], model.get_layer("transform").output).predict(images, verbose=0)
    left = angles + np.degrees(found[:, 0])  # both are counter-clockwise
    # 52 degrees before; a part of what is left are digits that look alike turned: 0, 1, 8.
    assert left.std() < 0.7 * angles.std()
    assert np.corrcoef(angles, found[:, 0])[0, 1] < -0.7
