"""Duplicates among pictures that the test draws, and copies of them that Pillow makes."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from imgclf.datasets.base import ArrayPixels, Pixels
from imgclf.datasets.pixels.duplicates import NearPairs, Prints, equal_images, near_images, take_prints, usual_likeness

Change = Callable[[Image.Image], Image.Image]
SIDE = 60


def drawn(count: int, seed: int) -> list[Image.Image]:
    """Colour pictures as different as photographs: soft areas of random places and colours, with grain."""
    random = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        areas = Image.fromarray(random.integers(0, 256, (6, 6, 3)).astype(np.uint8)).resize((SIDE, SIDE))
        grain = random.normal(0, 6, (SIDE, SIDE, 3))
        pictures.append(Image.fromarray((np.asarray(areas) * 0.8 + 20 + grain).clip(0, 255).astype(np.uint8)))
    return pictures


def as_pixels(pictures: list[Image.Image], mode: str = "RGB") -> ArrayPixels:
    arrays = [np.asarray(picture.convert(mode)).reshape(SIDE, SIDE, -1) for picture in pictures]
    return ArrayPixels(np.stack(arrays))


def jpeg(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=70)
    return Image.open(buffer)


def resized(picture: Image.Image) -> Image.Image:
    return picture.resize((47, 41), Image.Resampling.BICUBIC).resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def brighter(picture: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(1.1)


def near(first: Pixels, second: Pixels) -> NearPairs:
    likeness = usual_likeness(first)
    return near_images((first, second), (take_prints(first, likeness), take_prints(second, likeness)), likeness)


def prints(pixels: Pixels) -> Prints:
    return take_prints(pixels, usual_likeness(pixels))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("change", [jpeg, resized, brighter])
def test_a_changed_copy_in_another_split_is_near_and_nothing_else_is(change: Change, mode: str) -> None:
    train, others = drawn(60, seed=0), drawn(40, seed=1)
    test = [*others[:20], change(train[33]), *others[20:], change(train[7])]
    found = near(as_pixels(train, mode), as_pixels(test, mode))
    assert sorted(found.pairs.tolist()) == [[7, 41], [33, 20]]
    assert (found.correlation > 0.95).all()
    assert (np.diff(found.correlation) <= 0).all()


def test_another_picture_with_equal_colours_is_not_near() -> None:
    train = drawn(60, seed=0)
    turned = train[5].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    blurred = train[9].filter(ImageFilter.GaussianBlur(20))
    assert len(near(as_pixels(train), as_pixels([turned, blurred])).pairs) == 0


def test_digits_of_many_writers_are_not_near() -> None:
    from sklearn.datasets import load_digits

    images = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    assert len(near(ArrayPixels(images[:1400]), ArrayPixels(images[1400:])).pairs) == 0


def test_equal_images_are_no_near_pair_and_one_colour_is_never_near() -> None:
    train = [*drawn(30, seed=0), Image.new("RGB", (SIDE, SIDE), "black")]
    test = [train[4], Image.new("RGB", (SIDE, SIDE), (1, 1, 1))]
    assert len(near(as_pixels(train), as_pixels(test)).pairs) == 0


def test_of_equal_images_the_first_stands_for_all_in_near_pairs() -> None:
    train = drawn(30, seed=0)
    found = near(as_pixels([*train, train[3], train[3]]), as_pixels([jpeg(train[3])]))
    assert found.pairs.tolist() == [[3, 0]]


def test_equal_images_are_grouped_within_and_across_splits() -> None:
    train, test = drawn(20, seed=0), drawn(5, seed=1)
    train[12], test[3] = train[2], train[2]
    train[18] = train[17]
    groups = equal_images([prints(as_pixels(train)), prints(as_pixels(test))])
    assert groups == [[(0, 2), (0, 12), (1, 3)], [(0, 17), (0, 18)]]


def test_one_pixel_makes_images_unequal() -> None:
    images = np.tile(as_pixels(drawn(1, seed=0)).array, (2, 1, 1, 1))
    assert equal_images([prints(ArrayPixels(images))]) == [[(0, 0), (0, 1)]]
    images[1, 59, 59, 2] ^= 1
    assert equal_images([prints(ArrayPixels(images))]) == []


def test_images_of_one_colour_are_told() -> None:
    pictures = [*drawn(2, seed=0), Image.new("RGB", (SIDE, SIDE), (200, 10, 30))]
    assert prints(as_pixels(pictures)).is_one_colour.tolist() == [False, False, True]


def test_fractions_are_compared_too() -> None:
    train, test = as_pixels(drawn(30, seed=0)).array, as_pixels([jpeg(drawn(30, seed=0)[4])]).array
    as_fractions: Callable[[NDArray[np.uint8]], ArrayPixels] = lambda array: ArrayPixels(array.astype(np.float32))  # noqa: E731
    assert near(as_fractions(train), as_fractions(test)).pairs.tolist() == [[4, 0]]
    assert equal_images([prints(as_fractions(train)), prints(as_fractions(train[:1]))]) == [[(0, 0), (1, 0)]]
