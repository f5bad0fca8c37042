from __future__ import annotations

import errno
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgclf.images.decode import UnreadableImage, image_info, read_image
from imgclf.images.fit import ImageFit
from imgclf.images.jpeg import decode_sound_jpeg, plain_jpeg


def picture(mode: str, width: int, height: int) -> Image.Image:
    x, y = np.meshgrid(np.linspace(0, 6, width), np.linspace(0, 5, height))
    waves = np.stack([np.sin(x + y), np.cos(2 * x), np.sin(3 * y)], axis=-1)
    return Image.fromarray(((waves + 1) * 127).astype(np.uint8)).convert(mode)


def jpeg(mode: str, width: int, height: int, **options: Any) -> bytes:
    file = io.BytesIO()
    picture(mode, width, height).save(file, "JPEG", **options)
    return file.getvalue()


def decoded(content: bytes, factor: int) -> np.ndarray[Any, Any] | None:
    plain = plain_jpeg(io.BytesIO(content))
    return None if plain is None else decode_sound_jpeg(plain, factor)


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(64, 48), (101, 67)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_are_those_of_pillow_at_each_factor(mode: str, size: tuple[int, int], factor: int) -> None:
    content = jpeg(mode, *size, quality=90)
    ours = decoded(content, factor)
    with Image.open(io.BytesIO(content)) as image:
        image.draft(None, (image.width // factor, image.height // factor))
        theirs = np.asarray(image)
    assert ours is not None
    assert ours.shape == (-(-size[1] // factor), -(-size[0] // factor), 1 if mode == "L" else 3)
    assert np.abs(ours.astype(int) - theirs.reshape(ours.shape)).max() <= 1


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"optimize": True}], ids=str)
def test_kinds_of_jpeg(options: dict[str, Any]) -> None:
    content = jpeg("RGB", 60, 40, **options)
    ours = decoded(content, 1)
    with Image.open(io.BytesIO(content)) as image:
        theirs = np.asarray(image)
    assert ours is not None
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_other_colours_and_anything_to_complain_of_are_left_to_others() -> None:
    for content in (jpeg("CMYK", 40, 40), jpeg("RGB", 400, 400)[:-200], jpeg("RGB", 400, 400)[:-2]):
        assert decoded(content, 1) is None


def test_a_jpeg_with_exif_is_left_to_others_since_it_may_be_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    for turned in (jpeg("RGB", 40, 30, exif=exif), jpeg("RGB", 40, 30, xmp=xmp)):
        assert plain_jpeg(io.BytesIO(turned)) is None


def test_the_header_says_size_and_colours() -> None:
    for mode, is_grey in (("RGB", False), ("L", True)):
        found = plain_jpeg(io.BytesIO(jpeg(mode, 40, 30)))
        assert found is not None
        assert (found.height, found.width, found.is_grey) == (30, 40, is_grey)


def test_a_disk_that_fails_makes_an_unreadable_image(tmp_path: Path) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:  # noqa: ARG002 (of the base)
            raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg("RGB", 20, 20))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", lambda _path, _mode: Failing())
        for read in (lambda: read_image(path, ImageFit()), lambda: image_info(path)):
            with pytest.raises(UnreadableImage, match="cannot be read: Input/output error"):
                read()
