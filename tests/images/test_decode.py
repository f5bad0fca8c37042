"""Decoding: formats, transparency, orientation and depth as they should be; broken files refused with the reason."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgclf.images.decode import UnreadableImage, decode

SCENE = np.random.default_rng(3).integers(0, 256, (6, 8, 3)).astype(np.uint8).repeat(8, axis=0).repeat(8, axis=1)
FORMATS = {
    "jpeg": {"format": "JPEG", "quality": 90},
    "progressive": {"format": "JPEG", "quality": 90, "progressive": True},
    "png": {"format": "PNG"},
    "bmp": {"format": "BMP"},
    "webp": {"format": "WEBP"},
    "gif": {"format": "GIF"},
    "tiff": {"format": "TIFF"},
    "tiff_lzw": {"format": "TIFF", "compression": "tiff_lzw"},
    "tiff_deflate": {"format": "TIFF", "compression": "tiff_adobe_deflate"},
    "tiff_jpeg": {"format": "TIFF", "compression": "jpeg"},
    "tiff_packbits": {"format": "TIFF", "compression": "packbits"},
}


def _file(folder: Path, content: bytes, name: str = "picture.png") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _encode(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png16(pixels: np.ndarray, colour_type: int, *extra: bytes) -> bytes:
    """A 16-bit PNG written by hand, since Pillow writes no 16-bit colour."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _tiff16(pixels: np.ndarray, photometric: int, bits: int = 16, orientation: int = 1) -> bytes:
    """An uncompressed little-endian TIFF written by hand (TIFF 6.0, section 2)."""
    height, width, channels = pixels.shape
    data = pixels.astype("<u2").tobytes()
    bits_at = 8 + len(data)
    depths = struct.pack("<" + "H" * channels, *[bits] * channels)
    short, long = 3, 4
    tags = [
        (256, short, 1, width),
        (257, short, 1, height),
        (258, short, channels, bits_at if channels > 2 else bits),
        (259, short, 1, 1),
        (262, short, 1, photometric),
        (273, long, 1, 8),
        (274, short, 1, orientation),
        (277, short, 1, channels),
        (278, short, 1, height),
        (279, long, 1, len(data)),
    ]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return struct.pack("<2sHI", b"II", 42, bits_at + len(depths)) + data + depths + directory


def _decode_or_reason(folder: Path, content: bytes) -> np.ndarray | str:
    try:
        return decode(_file(folder, content), 3, pixel_limit=1_000_000)
    except UnreadableImage as error:
        return error.reason


def _deep(*shape: int) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 65536, shape).astype(np.uint16)


def _to_8(values: np.ndarray) -> np.ndarray:
    return np.rint(values / 257).astype(np.uint8)


def _blend_on_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., np.newaxis] / 255
    return rgb * share + 255 * (1 - share)


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("name", ["picture.png", "picture", "picture.jpg"])
def test_every_format_is_known_by_its_content(tmp_path: Path, options: dict[str, object], name: str) -> None:
    content = _encode(Image.fromarray(SCENE), **options)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert np.array_equal(decode(_file(tmp_path, content, name), 3), expected)


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
def test_a_truncated_file_is_refused_or_complete_but_never_half(
    tmp_path: Path, options: dict[str, object], capfd: pytest.CaptureFixture[str]
) -> None:
    content = _encode(Image.fromarray(SCENE), **options)
    whole = decode(_file(tmp_path, content), 3)
    results = [
        _decode_or_reason(tmp_path, content[:length]) for length in range(1, len(content), len(content) // 60 + 1)
    ]
    reasons = [result for result in results if isinstance(result, str)]
    assert len(reasons) > 40
    assert all(np.array_equal(result, whole) for result in results if not isinstance(result, str))
    if options.get("compression") != "jpeg":  # libtiff's JPEG decoder prints by itself
        assert capfd.readouterr() == ("", "")


def test_one_channel_is_the_luminance_of_pillow(tmp_path: Path) -> None:
    grey = decode(_file(tmp_path, _encode(Image.fromarray(SCENE), format="PNG")), 1)
    assert grey.shape == (48, 64, 1)
    assert np.abs(grey[..., 0].astype(int) - np.asarray(Image.fromarray(SCENE).convert("L"))).max() <= 1


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_and_one_bit_images_keep_their_levels(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(SCENE).convert(mode)
    path = _file(tmp_path, _encode(image, format="PNG"))
    expected = np.asarray(image.convert("L"))
    assert np.array_equal(decode(path, 1)[..., 0], expected)
    assert np.array_equal(decode(path, 3), expected[..., np.newaxis].repeat(3, axis=2))


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_blended_onto_white(tmp_path: Path, file_format: str) -> None:
    alpha = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))
    image = Image.fromarray(np.dstack([SCENE, alpha]))
    options = {"lossless": True, "exact": True} if file_format == "WEBP" else {}
    decoded = decode(_file(tmp_path, _encode(image, format=file_format, **options)), 3)
    assert np.abs(decoded - _blend_on_white(SCENE, alpha)).max() <= 0.51


def test_grey_with_alpha_is_blended_onto_white(tmp_path: Path) -> None:
    image = Image.merge("LA", [Image.fromarray(SCENE[..., 0]), Image.fromarray(SCENE[..., 1])])
    decoded = decode(_file(tmp_path, _encode(image, format="PNG")), 1)
    assert np.abs(decoded - _blend_on_white(SCENE[..., :1], SCENE[..., 1])).max() <= 0.51


@pytest.mark.parametrize("transparency", [1, bytes([255, 0, 128])])
def test_palette_transparency_is_blended_onto_white(tmp_path: Path, transparency: int | bytes) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([0, 1, 2])
    decoded = decode(_file(tmp_path, _encode(image, format="PNG", transparency=transparency)), 3)
    last = (70, 80, 90) if isinstance(transparency, int) else (162, 167, 172)
    assert [tuple(pixel) for pixel in decoded[0].tolist()] == [(10, 20, 30), (255, 255, 255), last]


def test_a_transparent_colour_becomes_white(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    decoded = decode(_file(tmp_path, _encode(image, format="PNG", transparency=(4, 5, 6))), 3)
    assert decoded.tolist() == [[[1, 2, 3], [255, 255, 255]]]


@pytest.mark.parametrize("suffix", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_gives_its_first_picture(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (9, 7), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if suffix == "WEBP" else {}
    content = _encode(frames[0], format=suffix, save_all=True, append_images=frames[1:], **options)
    assert np.all(decode(_file(tmp_path, content), 3) == (255, 0, 0))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(tmp_path: Path, file_format: str, orientation: int) -> None:
    rows, columns = np.mgrid[:16, :24]
    stored = np.dstack([rows * 15, columns * 10, rows * 0]).astype(np.uint8)
    upright = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: stored[::-1].transpose(1, 0, 2),
        7: stored[::-1, ::-1].transpose(1, 0, 2),
        8: stored[:, ::-1].transpose(1, 0, 2),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(file_format, {})
    decoded = decode(_file(tmp_path, _encode(Image.fromarray(stored), format=file_format, exif=exif, **options)), 3)
    assert decoded.shape == upright.shape
    assert np.abs(decoded.astype(int) - upright).max() <= 4


def test_cmyk_is_turned_into_rgb(tmp_path: Path) -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    decoded = decode(_file(tmp_path, _encode(image, format="JPEG", quality=100)), 3)
    assert np.abs(decoded.astype(int) - (255, 0, 0)).max() <= 3


def test_16_bit_grey_is_scaled_and_not_cut(tmp_path: Path) -> None:
    grey = np.append(_deep(99), [0, 127, 128, 129, 385, 386, 65406, 65407, 65535]).astype(np.uint16).reshape(12, 9)
    for file_format in ("PNG", "TIFF"):
        decoded = decode(_file(tmp_path, _encode(Image.fromarray(grey), format=file_format)), 1)
        assert np.array_equal(decoded[..., 0], _to_8(grey))


def test_16_bit_grey_tiff_with_white_as_zero_is_not_a_negative(tmp_path: Path) -> None:
    grey = _deep(5, 7, 1)
    assert np.array_equal(decode(_file(tmp_path, _tiff16(grey, photometric=0)), 1), _to_8(65535 - grey))


@pytest.mark.parametrize("colour_type", [2, 6, 4])
def test_16_bit_colour_and_alpha_are_scaled_and_not_cut(tmp_path: Path, colour_type: int) -> None:
    pixels = _deep(5, 7, {2: 3, 6: 4, 4: 2}[colour_type])
    decoded = decode(_file(tmp_path, _png16(pixels, colour_type)), 3)
    expected: np.ndarray = _to_8(pixels)
    if colour_type != 2:
        expected = _blend_on_white(expected[..., :-1], expected[..., -1])
    assert np.abs(decoded.astype(float) - expected).max() <= 0.51


def test_16_bit_transparent_values_become_white(tmp_path: Path) -> None:
    rgb, grey = _deep(5, 7, 3), _deep(5, 7, 1)
    coloured = _png16(rgb, 2, _chunk(b"tRNS", rgb[0, 0].astype(">u2").tobytes()))
    assert decode(_file(tmp_path, coloured), 3)[0, :2].tolist() == [[255, 255, 255], _to_8(rgb)[0, 1].tolist()]
    plain = _png16(grey, 0, _chunk(b"tRNS", grey[0, 0].astype(">u2").tobytes()))
    assert decode(_file(tmp_path, plain), 1)[0, :2, 0].tolist() == [255, _to_8(grey)[0, 1, 0]]


def test_16_bit_transparent_grey_takes_the_background(tmp_path: Path) -> None:
    grey = _deep(5, 7, 1)
    path = _file(tmp_path, _png16(grey, 0, _chunk(b"tRNS", grey[0, 0].astype(">u2").tobytes())))
    assert decode(path, 1, background=(0, 0, 0))[0, :2, 0].tolist() == [0, _to_8(grey)[0, 1, 0]]
    assert decode(path, 3, background=(1, 2, 3))[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_16_bit_colour_tiff_is_right_or_refused(tmp_path: Path, orientation: int) -> None:
    rgb = _deep(5, 7, 3)
    path = _file(tmp_path, _tiff16(rgb, photometric=2, orientation=orientation))
    upright = {1: rgb, 3: rgb[::-1, ::-1], 6: rgb[::-1].transpose(1, 0, 2)}[orientation]
    try:
        assert np.array_equal(decode(path, 3), _to_8(upright))
    except UnreadableImage:
        assert orientation != 1


def test_pixels_without_a_known_range_are_refused(tmp_path: Path) -> None:
    for array in (np.ones((4, 4), np.float32), np.ones((4, 4), np.int32)):
        with pytest.raises(UnreadableImage, match="32 bits a channel"):
            decode(_file(tmp_path, _encode(Image.fromarray(array), format="TIFF")), 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"just some words\n", "not an image: looks like text, starts with 'just some words'"),
        ("Größe".encode(), "not an image: looks like text, starts with 'Größe'"),
        (b"<!DOCTYPE html><html></html>", "looks like an HTML page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "looks like an SVG drawing"),
        (b"%PDF-1.7\n...", "looks like a PDF document"),
        (b"PK\x03\x04rest", "looks like a ZIP archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "looks like an HEIC photograph"),
        (bytes(100), "starts with zero bytes only"),
        (b"\x01\x02\xff\xfe\x00\x99\x98\x97\x96", "starts with the bytes 01 02 ff fe 00 99 98 97"),
        (b"BMW is a car", "starts like a BMP file, but is truncated or damaged"),
        (b"\x89PNG\r\n\x1a\nrubbish", "starts like a PNG file, but is truncated or damaged"),
    ],
)
def test_what_is_no_image_is_said_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = _file(tmp_path, content)
    with pytest.raises(UnreadableImage) as caught:
        decode(path, 3)
    assert reason in caught.value.reason
    assert str(caught.value) == f"{path}: {caught.value.reason}"


def test_a_folder_a_pipe_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, reason in [
        (tmp_path, "is a folder, not an image file"),
        (tmp_path / "pipe", "is a device or a pipe, not an image file"),
        (tmp_path / "missing.png", "cannot be opened: No such file or directory"),
    ]:
        with pytest.raises(UnreadableImage) as caught:
            decode(path, 3)
        assert caught.value.reason == reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = _file(tmp_path, b"x")
    path.chmod(0)
    with pytest.raises(UnreadableImage, match="Permission denied"):
        decode(path, 3)


@pytest.mark.parametrize("side", [9_000, 20_000])
def test_too_many_pixels_are_refused_from_the_header_without_a_warning(tmp_path: Path, side: int) -> None:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    path = _file(tmp_path, b"\x89PNG\r\n\x1a\n" + header + _chunk(b"IDAT", b"") + _chunk(b"IEND", b""))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UnreadableImage, match=f"too many pixels: {side}x{side}.*64 megapixels"):
            decode(path, 3)


def test_the_pixel_limit_can_be_set(tmp_path: Path) -> None:
    path = _file(tmp_path, _encode(Image.new("L", (11, 10)), format="PNG"))
    assert decode(path, 1, pixel_limit=110).shape == (10, 11, 1)
    with pytest.raises(UnreadableImage, match="too many pixels"):
        decode(path, 1, pixel_limit=109)


def test_broken_metadata_neither_warns_nor_costs_the_picture(tmp_path: Path) -> None:
    content = _encode(Image.fromarray(SCENE), format="JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x20\0\x12\x01\x03")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(_file(tmp_path, content), 3).shape == SCENE.shape


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
def test_damaged_bytes_give_an_image_or_the_one_error(tmp_path: Path, options: dict[str, object]) -> None:
    generator = np.random.default_rng(8)
    content = _encode(Image.fromarray(SCENE), **options)
    for _ in range(20):
        damaged = bytearray(content)
        for position in generator.integers(0, min(len(content), 600), 3):
            damaged[position] = generator.integers(0, 256)
        result = _decode_or_reason(tmp_path, bytes(damaged))
        assert result if isinstance(result, str) else result.ndim == 3


def test_a_grey_jpeg_with_broken_metadata_is_decoded_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "grey.jpg"
    exif = b"Exif\0\0MM\0*\0\0\0\x20"  # its directory lies past its end
    Image.new("RGB", (40, 30), (128, 128, 128)).save(path, exif=exif)
    assert set(decode(path, 3).flatten().tolist()) == {128}  # a warning would be an error here
