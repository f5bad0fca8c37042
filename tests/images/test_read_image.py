"""From a file to the fitted pixels: as the whole decode and fit, though a JPEG is decoded at a fraction of its size."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from imgclf.images.decode import UnreadableImage, read_image, read_picture
from imgclf.images.fit import ImageFit, fit_image

IN_MEMORY = Path("in memory")


def _scene(height: int, width: int) -> np.ndarray:
    """Smooth, with an edge, so that a shift by a part of a pixel shows."""
    rows, columns = np.mgrid[:height, :width]
    waves = [128 + 110 * np.sin(rows / (20 + 9 * band)) * np.cos(columns / (31 - 8 * band)) for band in range(3)]
    scene = np.dstack(waves)
    scene[height // 3 : height // 2, width // 4 : -width // 8] += 30
    return scene.clip(0, 255).astype(np.uint8)


def _jpeg(pixels: np.ndarray, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG", quality=95, subsampling=0, exif=exif)
    return stream.getvalue()


def _whole(content: bytes) -> np.ndarray:
    """The upright pixels as Pillow's own functions have them."""
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB"))


@pytest.mark.parametrize("rule", ["squash", "crop", "pad"])
@pytest.mark.parametrize(("height", "width"), [(375, 499), (501, 333), (1203, 1601), (800, 1200)])
@pytest.mark.parametrize("side", [150, 37])
def test_a_reduced_jpeg_becomes_the_pixels_of_the_whole_one(rule: str, height: int, width: int, side: int) -> None:
    content = _jpeg(_scene(height, width))
    fit = ImageFit((side, side), 3, rule)
    distance = np.abs(read_image(IN_MEMORY, fit, content=content).astype(int) - fit_image(_whole(content), fit))
    assert distance.mean() <= 1.1
    assert np.percentile(distance, 99) <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("height", "width"), [(400, 600), (375, 499)])
def test_a_reduced_jpeg_is_turned_upright(height: int, width: int, orientation: int) -> None:
    content = _jpeg(_scene(height, width), orientation)
    fit = ImageFit((60, 90), 3)
    distance = np.abs(read_image(IN_MEMORY, fit, content=content).astype(int) - fit_image(_whole(content), fit))
    assert distance.mean() <= 1.1
    assert np.percentile(distance, 99) <= 6


def test_reduction_leaves_out_most_of_the_pixels_and_keeps_the_files_size() -> None:
    content = _jpeg(_scene(1203, 1601))
    for side, shape in ((700, (1203, 1601, 3)), (500, (602, 801, 3)), (150, (301, 401, 3)), (75, (151, 201, 3))):
        picture = read_picture(IN_MEMORY, ImageFit((side, side)), content=content)
        assert picture.pixels.shape == shape
        assert (picture.height, picture.width) == (1203, 1601)


def test_nearest_takes_pixels_of_the_whole_image() -> None:
    content = _jpeg(_scene(400, 600))
    fit = ImageFit((40, 60), 3, interpolation="nearest")
    assert np.array_equal(read_image(IN_MEMORY, fit, content=content), fit_image(_whole(content), fit))


def test_a_stripe_pattern_does_not_turn_into_another_one() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (400, 300))
    content = _jpeg(np.dstack([stripes] * 3))
    assert np.abs(read_image(IN_MEMORY, ImageFit((100, 150), 1), content=content).astype(int) - 127.5).max() <= 4


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_other_formats_are_decoded_whole_and_then_fitted(channels: int | None) -> None:
    scene = _scene(90, 120)
    content = cv2.imencode(".png", scene[..., ::-1])[1].tobytes()
    means = scene.reshape(30, 3, 40, 3, 3).mean(axis=(1, 3))
    expected = means @ (0.299, 0.587, 0.114) if channels == 1 else means
    fitted = read_image(IN_MEMORY, ImageFit((30, 40), channels), content=content)
    assert fitted.dtype == np.uint8
    assert np.abs(fitted.squeeze() - expected).max() <= 1.5


@pytest.mark.parametrize(("channels", "expected"), [(None, 1), (1, 1), (3, 3)])
def test_a_grey_file_has_one_channel_unless_three_are_asked_for(channels: int | None, expected: int) -> None:
    content = cv2.imencode(".png", _scene(20, 30)[..., 0])[1].tobytes()
    assert read_image(IN_MEMORY, ImageFit(None, channels), content=content).shape == (20, 30, expected)


def test_padding_and_transparency_have_one_background() -> None:
    stream = io.BytesIO()
    Image.new("RGBA", (10, 20), (0, 0, 0, 0)).save(stream, format="PNG")
    fit = ImageFit((20, 20), 3, "pad", background=(10, 200, 30))
    assert np.all(read_image(IN_MEMORY, fit, content=stream.getvalue()) == (10, 200, 30))


def test_a_file_and_its_bytes_give_the_same_pixels_and_the_same_errors(tmp_path: Path) -> None:
    path, content, fit = tmp_path / "picture.jpg", _jpeg(_scene(300, 400)), ImageFit((70, 90), 3, "crop")
    path.write_bytes(content)
    assert np.array_equal(read_image(path, fit), read_image(path, fit, content=content))
    path.write_bytes(content[:900])
    reasons = []
    for in_memory in (None, content[:900]):
        with pytest.raises(UnreadableImage) as caught:
            read_image(path, fit, content=in_memory)
        reasons.append(str(caught.value))
    assert reasons[0] == reasons[1]
    with pytest.raises(UnreadableImage, match="too many pixels"):
        read_image(path, fit, content=content, pixel_limit=300 * 400 - 1)
