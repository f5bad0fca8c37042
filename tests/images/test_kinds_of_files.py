"""Golden files of every kind, made here, against OpenCV's decoders or against known pixel values."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, features

from imgclf.images.decode import UnreadableImage, decode, image_info, read_image
from imgclf.images.fit import ImageFit

ROWS, COLUMNS = np.mgrid[:61, :83]
SCENE = np.dstack([ROWS * 4, COLUMNS * 3, 128 + 100 * np.sin(ROWS / 9) * np.cos(COLUMNS / 7)]).astype(np.uint8)
GREY = SCENE[..., 2]
ALPHA = (COLUMNS * 3).astype(np.uint8)
WHITE, TEAL = (255, 255, 255), (20, 150, 140)
HAS_AVIF = "avif" in features.modules and features.check("avif") is True


def _encode(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def _decode(content: bytes, channels: int = 3, background: tuple[int, int, int] = WHITE) -> np.ndarray:
    return decode(Path("in memory"), channels, content=content, background=background).astype(int)


def _opencv(content: bytes, flag: int = cv2.IMREAD_COLOR_RGB) -> np.ndarray:
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    assert decoded is not None
    return np.asarray(decoded).astype(int)


def _blend(pixels: np.ndarray, alpha: np.ndarray, background: tuple[int, int, int]) -> np.ndarray:
    share = alpha[..., np.newaxis] / 255
    return pixels * share + np.array(background) * (1 - share)


RGB = Image.fromarray(SCENE)
# name: (content, largest difference from OpenCV's pixels)
FILES: dict[str, tuple[bytes, int]] = {
    "JPEG": (_encode(RGB, format="JPEG", quality=90), 2),
    "JPEG, no subsampling": (_encode(RGB, format="JPEG", quality=90, subsampling=0), 2),
    "progressive JPEG": (_encode(RGB, format="JPEG", quality=90, progressive=True), 2),
    "grey JPEG": (_encode(RGB.convert("L"), format="JPEG", quality=90), 2),
    "PNG": (_encode(RGB, format="PNG"), 0),
    "PNG with a palette": (_encode(RGB.convert("P"), format="PNG"), 0),
    "PNG of 4 colours": (_encode(RGB.quantize(4), format="PNG", bits=2), 0),
    "PNG of 1 bit": (_encode(RGB.convert("1"), format="PNG"), 0),
    "BMP": (_encode(RGB, format="BMP"), 0),
    "BMP with a palette": (_encode(RGB.convert("P"), format="BMP"), 0),
    "BMP of 1 bit": (_encode(RGB.convert("1"), format="BMP"), 0),
    "grey BMP": (_encode(RGB.convert("L"), format="BMP"), 0),
    "WebP": (_encode(RGB, format="WEBP", quality=80), 2),
    "WebP without loss": (_encode(RGB, format="WEBP", lossless=True), 0),
    "TIFF": (_encode(RGB, format="TIFF"), 0),
    "TIFF, LZW": (_encode(RGB, format="TIFF", compression="tiff_lzw"), 0),
    "TIFF with a palette": (_encode(RGB.convert("P"), format="TIFF"), 0),
    "TIFF of 1 bit, fax": (_encode(RGB.convert("1"), format="TIFF", compression="group4"), 0),
    "GIF": (_encode(RGB, format="GIF"), 0),
}
if HAS_AVIF:
    FILES["AVIF"] = (_encode(RGB, format="AVIF", quality=95), 2)


@pytest.mark.parametrize("name", FILES)
def test_the_pixels_are_those_of_opencv(name: str) -> None:
    content, tolerance = FILES[name]
    if name == "AVIF" and not cv2.haveImageReader("x.avif"):
        pytest.skip("this OpenCV reads no AVIF")
    assert np.abs(_decode(content) - _opencv(content)).max() <= tolerance


@pytest.mark.parametrize("name", FILES)
def test_the_header_alone_tells_size_and_colour(name: str) -> None:
    content, _ = FILES[name]
    width, height, is_grey = image_info(Path("in memory"), content=content)
    assert (width, height) == (83, 61)
    assert is_grey == any(word in name for word in ("grey", "1 bit")) or name == "GIF"


@pytest.mark.skipif(not HAS_AVIF, reason="this Pillow reads no AVIF")
@pytest.mark.parametrize("name", ["picture.jpg", "picture.avif", "picture"])
def test_avif_is_read_near_to_what_was_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(_encode(RGB, format="AVIF", quality=100, subsampling="4:4:4"))
    assert np.abs(decode(tmp_path / name, 3).astype(int) - SCENE).max() <= 6


def test_avif_that_pillow_does_not_read_is_refused_with_what_would(monkeypatch: pytest.MonkeyPatch) -> None:
    start = b"\0\0\0\x20ftypmif1\0\0\0\0mif1avifmiafMA1B"
    plugin = pytest.importorskip("PIL.AvifImagePlugin")
    monkeypatch.setattr(plugin, "SUPPORTED", False)
    with pytest.raises(
        UnreadableImage, match=r"an AVIF image, which this Pillow does not read: version 11\.3 or newer"
    ):
        decode(Path("in memory"), 3, content=start + bytes(100))


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_cmyk_is_ink_on_paper(file_format: str) -> None:
    cmyk = np.dstack([SCENE, ALPHA // 2])
    options = {"quality": 100} if file_format == "JPEG" else {}
    expected = (255 - cmyk[..., :3].astype(float)) * (255 - cmyk[..., 3:]) / 255
    assert np.abs(_decode(_encode(Image.fromarray(cmyk, "CMYK"), format=file_format, **options)) - expected).max() <= 4


def test_ycck_is_luminance_and_chroma_of_the_inverted_inks() -> None:
    """A CMYK file with Adobe's transform set to 2 (Adobe Technical Note 5116, section 18): its inks are YCbCr and K."""
    ycc = np.asarray(Image.fromarray(255 - SCENE).convert("YCbCr"))  # of the inks, which stand inverted for C, M, Y
    inverted_black = 255 - ALPHA // 2
    stored = np.dstack([ycc, inverted_black])
    content = bytearray(_encode(Image.fromarray(255 - stored, "CMYK"), format="JPEG", quality=100))
    content[content.index(b"Adobe") + 11] = 2
    expected = SCENE * (inverted_black / 255.0)[..., np.newaxis]
    assert np.abs(_decode(bytes(content)) - expected).max() <= 6
    assert np.abs(_opencv(bytes(content)) - expected).max() <= 6


@pytest.mark.parametrize("background", [WHITE, TEAL])
@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_blended_onto_the_background(file_format: str, background: tuple[int, int, int]) -> None:
    options = {"lossless": True, "exact": True} if file_format == "WEBP" else {}
    content = _encode(Image.fromarray(np.dstack([SCENE, ALPHA])), format=file_format, **options)
    assert np.abs(_decode(content, 3, background) - _blend(SCENE, ALPHA, background)).max() <= 0.51


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_grey_with_alpha_stays_grey_on_grey_and_takes_the_colour_of_the_background(file_format: str) -> None:
    content = _encode(Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(ALPHA)]), format=file_format)
    grey = GREY[..., np.newaxis]
    assert image_info(Path("in memory"), content=content).is_grey
    assert np.abs(_decode(content, 1) - _blend(grey, ALPHA, WHITE)[..., :1]).max() <= 0.51
    assert np.abs(_decode(content, 3, TEAL) - _blend(grey, ALPHA, TEAL)).max() <= 0.51


def test_lab_is_refused_as_a_kind_that_is_not_read() -> None:
    content = _encode(Image.new("LAB", (8, 8)), format="TIFF")
    with pytest.raises(UnreadableImage, match="colours of the kind LAB"):
        _decode(content)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", *(["AVIF"] if HAS_AVIF else [])])
def test_the_header_tells_the_upright_size(file_format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = _encode(RGB, format=file_format, exif=exif)
    info = image_info(Path("in memory"), content=content)
    assert (info.width, info.height) == ((83, 61) if orientation < 5 else (61, 83))
    assert _decode(content).shape == (info.height, info.width, 3)


@pytest.mark.skipif(not HAS_AVIF, reason="this Pillow reads no AVIF")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_upright(orientation: int) -> None:
    turns: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: lambda stored: stored,
        2: lambda stored: stored[:, ::-1],
        3: lambda stored: stored[::-1, ::-1],
        4: lambda stored: stored[::-1],
        5: lambda stored: stored.transpose(1, 0, 2),
        6: lambda stored: stored[::-1].transpose(1, 0, 2),
        7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
        8: lambda stored: stored[:, ::-1].transpose(1, 0, 2),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = _encode(RGB, format="AVIF", quality=100, subsampling="4:4:4", exif=exif)
    assert np.abs(_decode(content) - turns[orientation](SCENE)).max() <= 6


def test_a_png_with_its_orientation_behind_the_pixels_is_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = _encode(RGB, format="PNG", exif=exif)
    start = content.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(content[start : start + 4], "big")
    moved = content[:start] + content[end:-12] + content[start:end] + content[-12:]
    assert image_info(Path("in memory"), content=moved)[:2] == (61, 83)
    assert np.array_equal(_decode(moved), SCENE[::-1].transpose(1, 0, 2))


def test_a_png_with_a_changed_byte_in_its_pixels_or_without_its_end_is_refused() -> None:
    content = _encode(RGB, format="PNG", compress_level=0)
    damaged = bytearray(content)
    damaged[content.index(b"IDAT") + 1000] ^= 1
    with pytest.raises(UnreadableImage, match="wrong checksum of its IDAT part"):
        _decode(bytes(damaged))
    with pytest.raises(UnreadableImage, match="its end is missing"):
        _decode(content[:-12])


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("side", [None, 8])
def test_a_jpeg_that_lacks_a_part_before_its_end_is_refused(mode: str, side: int | None) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    content = _encode(Image.fromarray(noise).convert(mode), format="JPEG")
    fit = ImageFit(None if side is None else (side, side))
    assert read_image(Path("in memory"), fit, content=content).size
    for kept in (0.5, 0.9):
        with pytest.raises(UnreadableImage, match="pixels are missing before its end"):
            read_image(Path("in memory"), fit, content=content[: int(len(content) * kept)] + b"\xff\xd9")


@pytest.mark.parametrize("colour", [(128, 128, 128), (127, 127, 127), (127, 128, 127)])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_a_jpeg_that_is_grey_in_truth_is_read(colour: tuple[int, int, int], options: dict[str, int]) -> None:
    content = _encode(Image.new("RGB", (50, 70), colour), format="JPEG", quality=95, **options)
    for after in (b"", b"trailing bytes", content):
        assert np.abs(_decode(content + after) - colour).max() <= 2


def test_what_libtiff_complains_of_is_refused_and_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    content = bytearray(_encode(RGB.convert("1"), format="TIFF", compression="group4"))
    content[20:100:7] = bytes(byte ^ 0xFF for byte in content[20:100:7])
    with pytest.raises(UnreadableImage, match="damaged TIFF file"):
        _decode(bytes(content))
    assert capfd.readouterr() == ("", "")


def test_a_bomb_is_refused_from_its_header(tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 1, 0, 0, 0, 0))
    path = tmp_path / "bomb.png"
    pixels = chunk(b"IDAT", zlib.compress(bytes(6251 * 500), 9))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b""))
    for read in (lambda: decode(path, 3), lambda: image_info(path)):
        with pytest.raises(UnreadableImage, match=r"too many pixels: 50000x50000 are 2500\.0 megapixels"):
            read()
