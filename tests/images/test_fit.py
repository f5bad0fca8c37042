"""Fitting: the three rules, the interpolations and the channels, against Pillow and plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from imgclf.images.fit import ImageFit, fit_image

PILLOWS = {
    "nearest": Image.Resampling.NEAREST,
    "linear": Image.Resampling.BILINEAR,
    "cubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, shape).astype(np.uint8)


def _smooth(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return (128 + 100 * np.sin(rows / 9)[..., np.newaxis] * np.cos(columns / 7)[..., np.newaxis]).astype(np.uint8)


@pytest.mark.parametrize("rule", ["squash", "crop", "pad"])
@pytest.mark.parametrize("shape", [(20, 30, 3), (30, 20, 1), (1, 1, 3), (1, 4000, 3), (4000, 1, 1), (8, 6, 3)])
@pytest.mark.parametrize("size", [(8, 6), (24, 24), (1, 1), (50, 7)])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_rule_gives_the_size_and_channels_asked_for(
    rule: str, shape: tuple[int, int, int], size: tuple[int, int], channels: int
) -> None:
    fitted = fit_image(_noise(*shape), ImageFit(size, channels, rule))
    assert fitted.shape == (*size, channels)
    assert fitted.dtype == np.uint8


def test_what_is_none_stays_as_it_is() -> None:
    image = _noise(9, 12, 3)
    assert np.array_equal(fit_image(image, ImageFit()), image)
    assert fit_image(image, ImageFit((3, 4))).shape == (3, 4, 3)
    assert fit_image(image, ImageFit(None, 1)).shape == (9, 12, 1)
    assert ImageFit(None, None, "crop").completed((28, 30, 1)) == ImageFit((28, 30), 1, "crop")
    assert ImageFit((8, 9), 3).completed((28, 30, 1)) == ImageFit((8, 9), 3)


def test_squash_averages_whole_blocks() -> None:
    image = _noise(12, 20, 3)
    means = image.reshape(3, 4, 5, 4, 3).mean(axis=(1, 3))
    assert np.abs(fit_image(image, ImageFit((3, 5))) - means).max() <= 0.5


@pytest.mark.parametrize(("height", "width"), [(40, 60), (60, 40), (40, 40)])
def test_crop_scales_the_shorter_side_and_cuts_the_centre_as_pillow_does(height: int, width: int) -> None:
    image = _noise(height, width, 3)
    expected = ImageOps.fit(Image.fromarray(image), (20, 20), Image.Resampling.BOX)
    assert np.abs(fit_image(image, ImageFit((20, 20), 3, "crop")).astype(int) - np.asarray(expected)).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(40, 60), (60, 40)])
def test_pad_fits_the_longer_side_into_the_middle_of_the_background_as_pillow_does(height: int, width: int) -> None:
    image = _noise(height, width, 3)
    expected = ImageOps.pad(Image.fromarray(image), (30, 30), Image.Resampling.BOX, color=(10, 200, 30))
    fitted = fit_image(image, ImageFit((30, 30), 3, "pad", background=(10, 200, 30)))
    assert np.abs(fitted.astype(int) - np.asarray(expected)).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_padding_of_a_grey_image_is_the_luminance_of_the_background_and_in_colour_the_colour(channels: int) -> None:
    colour = (10, 200, 30)
    fitted = fit_image(_noise(4, 4, 1), ImageFit((4, 6), channels, "pad", background=colour))
    expected = colour if channels == 3 else round(float(np.dot(colour, LUMINANCE)))
    assert np.all(fitted[:, [0, 5]] == expected)


@pytest.mark.parametrize("interpolation", PILLOWS)
def test_growing_agrees_with_pillow(interpolation: str) -> None:
    image = _smooth(40, 60)
    expected = np.asarray(Image.fromarray(image[..., 0]).resize((150, 90), PILLOWS[interpolation]))
    grown = fit_image(image, ImageFit((90, 150), interpolation=interpolation))[..., 0]
    inside = np.abs(grown.astype(int) - expected)[9:-9, 9:-9]  # the kernels end differently at the edges
    assert inside.max() <= {"nearest": 0, "linear": 1, "cubic": 3, "lanczos": 3}[interpolation]


@pytest.mark.parametrize("interpolation", ["linear", "cubic", "lanczos"])
def test_shrinking_is_averaged_and_never_skips_a_line(interpolation: str) -> None:
    stripes = np.tile(np.array([0, 255], np.uint8)[:, np.newaxis, np.newaxis], (50, 100, 1))
    shrunk = fit_image(stripes, ImageFit((25, 200), interpolation=interpolation))
    assert np.all(np.abs(shrunk.astype(int) - 127.5) <= 1)


def test_nearest_makes_no_value_that_the_image_does_not_have() -> None:
    labels = np.array([3, 90, 200], np.uint8)[np.random.default_rng(1).integers(0, 3, (50, 70, 1))]
    for size in ((20, 30), (80, 90), (20, 90)):
        assert set(np.unique(fit_image(labels, ImageFit(size, interpolation="nearest")))) <= {3, 90, 200}


@pytest.mark.parametrize("rule", ["squash", "crop", "pad"])
@pytest.mark.parametrize("interpolation", PILLOWS)
@pytest.mark.parametrize("channels", [1, 3])
def test_float_images_are_fitted_alike_but_not_rounded_and_keep_their_range(
    rule: str, interpolation: str, channels: int
) -> None:
    image = _noise(20, 30, 3)
    fit = ImageFit((25, 14), channels, rule, interpolation)
    exact = fit_image(image.astype(np.float32), fit)
    assert exact.dtype == np.float32
    assert exact.min() >= 0
    assert exact.max() <= 255
    assert np.abs(exact - fit_image(image, fit)).max() <= 2.5  # uint8 is rounded after each of up to three steps


def test_colour_becomes_luminance_and_grey_is_repeated() -> None:
    image = _noise(9, 12, 3)
    luminance = image.reshape(3, 3, 4, 3, 3).mean(axis=(1, 3)) @ LUMINANCE
    assert np.abs(fit_image(image, ImageFit((3, 4), 1))[..., 0] - luminance).max() <= 1.5  # rounded twice
    assert np.array_equal(fit_image(image[..., :1], ImageFit(None, 3)), image[..., :1].repeat(3, axis=2))


@pytest.mark.parametrize(
    ("fit", "steps"),
    [
        (ImageFit(), ()),
        (ImageFit((375, 500)), ()),
        (ImageFit((150, 150)), ("resized from 500x375 to 150x150",)),
        (ImageFit((150, 150), resize="crop"), ("cropped from 500x375 to 375x375", "resized from 375x375 to 150x150")),
        (ImageFit((375, 375), resize="crop"), ("cropped from 500x375 to 375x375",)),
        (ImageFit((150, 150), resize="pad"), ("resized from 500x375 to 150x112", "padded from 150x112 to 150x150")),
        (ImageFit((500, 500), resize="pad"), ("padded from 500x375 to 500x500",)),
    ],
)
def test_the_steps_say_what_is_done(fit: ImageFit, steps: tuple[str, ...]) -> None:
    assert fit.steps(375, 500) == steps
