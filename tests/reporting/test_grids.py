"""Grids of images and single labelled images: pixels, colours, and names of any characters."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageColor

from imgclf.reporting.grids import draw_grid, draw_pairs, label_image
from imgclf.reporting.style import RIGHT, WRONG


def _pixels(png: bytes) -> NDArray[np.uint8]:
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))


def _shows(pixels: NDArray[np.uint8], colour: str) -> bool:
    return bool((pixels == ImageColor.getrgb(colour)).all(axis=2).any())


IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1)).astype(np.uint8)


def test_grid_titles_are_green_when_right_and_red_when_wrong() -> None:
    right = _pixels(draw_grid(IMAGES[:1], [("cat (cat)", True)], "A grid"))
    wrong = _pixels(draw_grid(IMAGES[:1], [("dog (cat)", False)], "A grid"))
    neither = _pixels(draw_grid(IMAGES[:1], [("dog", None)], "A grid"))
    assert [_shows(pixels, RIGHT) for pixels in (right, wrong, neither)] == [True, False, False]
    assert [_shows(pixels, WRONG) for pixels in (right, wrong, neither)] == [False, True, False]


def test_grid_holds_every_image_unsmoothed() -> None:
    colours = np.array([(200, 10, 10), (10, 200, 10), (10, 10, 200), (200, 200, 10), (10, 200, 200)], np.uint8)
    images = np.broadcast_to(colours[:, None, None], (5, 4, 4, 3))
    pixels = _pixels(draw_grid(images, [("name", None)] * 5, "Five", columns=2))
    assert all((pixels == colour).all(axis=2).sum() > 5000 for colour in colours)


def test_each_image_of_a_pair_stands_under_its_partner() -> None:
    colours = np.array([(200, 10, 10), (10, 200, 10), (10, 10, 200)], np.uint8)
    upper, lower = (np.broadcast_to(of[:, None, None], (3, 4, 4, 3)) for of in (colours, colours // 2))
    pixels = _pixels(draw_pairs(upper, lower, [(("upper", None), ("lower", False))] * 3, "Pairs", columns=2))
    for colour in colours:
        (top, left), (bottom, below) = (np.argwhere((pixels == of).all(axis=2))[0] for of in (colour, colour // 2))
        assert left == below
        assert bottom > top
    assert _shows(pixels, WRONG)


def test_no_pairs_are_said_to_be_none() -> None:
    assert _pixels(draw_pairs(IMAGES[:0], IMAGES[:0], [], "Pairs")).std() > 0


def test_grid_of_no_images_says_so() -> None:
    assert _pixels(draw_grid(IMAGES[:0], [], "The most confident mistakes")).std() > 0


@pytest.mark.parametrize("channels", [1, 3])
def test_labelled_image_is_enlarged_by_a_whole_number_with_a_strip_below(channels: int) -> None:
    image = np.random.default_rng(1).integers(0, 256, (28, 28, channels)).astype(np.uint8)
    pixels = _pixels(label_image(image, "Ankle boot", correct=True))
    assert pixels.shape[1] == 280
    assert pixels.shape[0] > 280
    expected = np.asarray(Image.fromarray(image.squeeze()).convert("RGB").resize((280, 280), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(pixels[:280], expected)
    assert _shows(pixels[280:], RIGHT)


def test_labelled_photograph_keeps_its_pixels() -> None:
    image = np.random.default_rng(1).integers(0, 256, (300, 431, 3)).astype(np.uint8)
    pixels = _pixels(label_image(image, "cat (dog)", correct=False))
    np.testing.assert_array_equal(pixels[:300], image)
    assert _shows(pixels[300:], WRONG)


def test_long_labels_are_broken_into_lines_that_fit() -> None:
    image = np.zeros((28, 28, 1), np.uint8)
    short, long = (_pixels(label_image(image, text, None)) for text in ("cat", "a very long name " * 10))
    assert len(long) > len(short)
    assert (long[281:, :4] == 255).all()
    assert (long[281:, -4:] == 255).all()


@pytest.mark.parametrize("name", ["$5 bill_^{", "été", "Übergröße", "猫", "", "a\\b%"])
def test_class_names_of_any_characters_are_drawn_as_they_are(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        label_image(IMAGES[0], name, None)
        draw_grid(IMAGES[:1], [(f"{name} ({name})", True)], name)
