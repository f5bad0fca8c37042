from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imgclf.datasets.base import ArrayPixels
from imgclf.inference import BATCH, Forward
from imgclf.models.heads import build_model
from imgclf.models.simple_cnn import SimpleCnn
from imgclf.preprocessing import Preprocessing, PreprocessingSettings

IMAGES = np.random.default_rng(0).integers(0, 256, (BATCH + 1, 6, 6, 1), np.uint8)
NETWORK = SimpleCnn(name="simple_cnn", blocks=((4,),), batch_norm=True, dense_units=(8,))


class CountedPixels(ArrayPixels):
    """Pixels that remember what was taken."""

    taken: list[int]

    def take(self, indices: np.ndarray) -> np.ndarray:
        self.taken.extend(indices.tolist())
        return super().take(indices)


@pytest.fixture(scope="module")
def model() -> Any:
    import keras

    keras.utils.set_random_seed(0)
    return build_model(NETWORK, (6, 6, 1), {"class": 3})


@pytest.fixture(scope="module")
def forward(model: Any) -> Forward:
    return Forward(model, Preprocessing(PreprocessingSettings()).apply)


@pytest.mark.parametrize("count", [1, 5, BATCH, BATCH + 1])
def test_logits_are_those_of_keras_predict(model: Any, forward: Forward, count: int) -> None:
    (logits,) = forward.logits(ArrayPixels(IMAGES[:count]))
    assert logits.shape == (count, 3)
    assert logits.dtype == np.float32
    wanted = model.predict(IMAGES[:count].astype(np.float32) / 255, verbose=0)
    np.testing.assert_allclose(logits, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", [1, 5, BATCH - 1])
def test_logits_do_not_depend_on_how_many_images_there_are(forward: Forward, count: int) -> None:
    (everything,) = forward.logits(ArrayPixels(IMAGES))
    (some,) = forward.logits(ArrayPixels(IMAGES[:count]))
    np.testing.assert_allclose(some, everything[:count], rtol=1e-5, atol=1e-5)


def test_an_image_in_a_padded_last_batch_has_the_logits_of_a_full_one_bit_for_bit(forward: Forward) -> None:
    (last_alone,) = forward.logits(ArrayPixels(IMAGES))
    (full,) = forward.logits(ArrayPixels(np.concatenate([IMAGES[:BATCH], IMAGES[-1:], IMAGES[: BATCH - 1]])))
    assert np.array_equal(last_alone[BATCH], full[BATCH])


def test_every_image_is_counted_once_and_the_padding_cut_off(forward: Forward) -> None:
    pixels = CountedPixels(IMAGES)
    object.__setattr__(pixels, "taken", [])
    (logits,) = forward.logits(pixels)
    assert len(logits) == BATCH + 1
    assert pixels.taken == [*range(BATCH + 1), *[BATCH] * (BATCH - 1)]


def test_several_heads_give_their_logits_in_order() -> None:
    import keras

    keras.utils.set_random_seed(0)
    both = build_model(NETWORK, (6, 6, 1), {"colour": 3, "shape": 5})
    colour, shape = Forward(both, Preprocessing(PreprocessingSettings()).apply).logits(ArrayPixels(IMAGES[:5]))
    assert (colour.shape, shape.shape) == ((5, 3), (5, 5))
    wanted = both.predict(IMAGES[:5].astype(np.float32) / 255, verbose=0)
    np.testing.assert_allclose(shape, wanted[1], rtol=1e-5, atol=1e-5)


class LeftIsSpecial:
    """A preprocessing that treats each place differently, as whitening does."""

    def apply(self, images: Any) -> Any:
        import tensorflow as tf

        return tf.cast(images, tf.float32) / 255 * tf.linspace(0.0, 1.0, 6)[None, None, :, None]


def test_flip_averages_the_logits_of_each_image_and_of_its_mirror_image(model: Any) -> None:
    pixels = IMAGES[:7]
    (found,) = Forward(model, LeftIsSpecial().apply, "flip").logits(ArrayPixels(pixels))
    place = np.linspace(0, 1, 6, dtype=np.float32)[None, None, :, None]
    seen = [image.astype(np.float32) / 255 * place for image in (pixels, pixels[:, :, ::-1])]
    plain, mirrored = (model.predict(one, verbose=0) for one in seen)
    np.testing.assert_allclose(found, (plain + mirrored) / 2, rtol=1e-5, atol=1e-5)
    assert np.abs(plain - mirrored).max() > 1e-3


def test_flip_gives_an_image_and_its_mirror_image_one_answer_for_every_target() -> None:
    import keras

    keras.utils.set_random_seed(0)
    both = build_model(NETWORK, (6, 6, 1), {"colour": 3, "shape": 5})
    forward = Forward(both, Preprocessing(PreprocessingSettings()).apply, "flip")
    answers = forward.logits(ArrayPixels(IMAGES[:5]))
    mirrored = forward.logits(ArrayPixels(IMAGES[:5, :, ::-1].copy()))
    assert [one.shape for one in answers] == [(5, 3), (5, 5)]
    for one, other in zip(answers, mirrored, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
