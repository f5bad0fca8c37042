"""Small good image files of every format that is read, and of every kind of pixels."""

from __future__ import annotations

import io


def image_files(height: int, width: int) -> dict[str, bytes]:
    """One file of each format and kind of pixels, by the name that it gets."""
    import cv2
    import numpy as np
    from PIL import Image, features

    rows, columns = np.mgrid[:height, :width]
    scene = np.dstack([rows * 2, columns * 3 // 2, (rows * columns) // 80 % 256]).astype(np.uint8)
    noise = (slice(height // 6, height // 2), slice(width // 5, width * 9 // 16))
    scene[noise] = np.random.default_rng(1).integers(0, 256, scene[noise].shape)
    picture = Image.fromarray(scene)
    exif = Image.Exif()
    exif[0x0112] = 6

    def encoded(image: Image.Image, **options: object) -> bytes:
        stream = io.BytesIO()
        image.save(stream, **options)  # type: ignore[arg-type]
        return stream.getvalue()

    def encoded16(extension: str, channels: int) -> bytes:
        pixels = np.dstack([scene, scene[..., :1]]).astype(np.uint16)[..., :channels] * 257
        return bytes(cv2.imencode(extension, pixels)[1])

    others = [picture.rotate(90 * turn) for turn in (1, 2)]
    alpha = Image.fromarray(np.dstack([scene, scene[..., 0]]))
    kinds: dict[str, bytes] = {
        "baseline.jpg": encoded(picture, format="JPEG", exif=exif),
        "progressive.jpg": encoded(picture, format="JPEG", progressive=True),
        "grey.jpg": encoded(picture.convert("L"), format="JPEG"),
        "cmyk.jpg": encoded(picture.convert("CMYK"), format="JPEG"),
        "rgb.png": encoded(picture, format="PNG", exif=exif),
        "alpha.png": encoded(alpha, format="PNG"),
        "palette.png": encoded(picture.convert("P"), format="PNG", transparency=3),
        "bit.png": encoded(picture.convert("1"), format="PNG"),
        "colour16.png": encoded16(".png", 3),
        "alpha16.png": encoded16(".png", 4),
        "grey16.png": encoded16(".png", 1),
        "animated.png": encoded(picture, format="PNG", save_all=True, append_images=others),
        "rgb.bmp": encoded(picture, format="BMP"),
        "palette.bmp": encoded(picture.convert("P"), format="BMP"),
        "lossy.webp": encoded(picture, format="WEBP", exif=exif),
        "lossless.webp": encoded(alpha, format="WEBP", lossless=True),
        "animated.webp": encoded(picture, format="WEBP", save_all=True, append_images=others),
        "palette.gif": encoded(picture, format="GIF"),
        "animated.gif": encoded(picture, format="GIF", save_all=True, append_images=others),
        "colour16.tif": encoded16(".tiff", 3),
        "grey16.tif": encoded(Image.fromarray(scene[..., 0].astype(np.uint16) * 257), format="TIFF"),
        "fax.tif": encoded(picture.convert("1"), format="TIFF", compression="group4"),
    }
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        kinds[f"{compression}.tif"] = encoded(picture, format="TIFF", compression=compression)
    if features.check("avif"):
        kinds["rgb.avif"] = encoded(picture, format="AVIF", exif=exif)
    return kinds
