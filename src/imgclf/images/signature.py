"""What a file is by its first bytes: the image formats that are decoded, and names for what people give by mistake."""

from __future__ import annotations

_FORMATS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II\x2a\x00", "TIFF"),
    (b"MM\x00\x2a", "TIFF"),
    (b"II\x2b\x00", "TIFF"),
    (b"MM\x00\x2b", "TIFF"),
)
_OTHERS = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"version https://git-lfs", "a Git LFS pointer: the file itself was not fetched"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image, which is not read"),
    (b"8BPS", "a Photoshop image, which is not read"),
)
_BRANDS = {
    b"heic": "an HEIC photograph",
    b"heix": "an HEIC photograph",
    b"mif1": "an HEIF image",
}


def file_format(start: bytes) -> str | None:
    """JPEG, PNG, GIF, BMP, TIFF, WebP or AVIF, or None where the first bytes are those of none of them."""
    if start[4:8] == b"ftyp" and {b"avif", b"avis"} & set(_brands(start)):
        return "AVIF"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WebP"
    return next((name for signature, name in _FORMATS if start.startswith(signature)), None)


def looks_like(start: bytes) -> str:
    """A phrase for a person about a file that is no image: what it looks like, or what it starts with."""
    for signature, name in _OTHERS:
        if start.startswith(signature):
            return f"looks like {name}"
    if start[4:8] == b"ftyp":
        return f"looks like {_BRANDS.get(start[8:12], 'a video')}, which is not read"
    if not any(start):
        return "starts with zero bytes only"
    text = _as_text(start)
    if text is None:
        return f"starts with the bytes {start[:8].hex(' ')}"
    return f"looks like {_kind_of_text(text)}, starts with {text.strip()[:30]!r}"


def _brands(start: bytes) -> list[bytes]:
    """What a file of ISO 14496-12 says that it is (section 4.3): the major brand, a version, the compatible brands."""
    box = start[8 : int.from_bytes(start[:4], "big")]
    return [box[at : at + 4] for at in range(0, len(box), 4)]


def _as_text(start: bytes) -> str | None:
    try:
        # The last character may be cut in two.
        text = start.decode("utf-8", errors="strict" if len(start) < 16 else "ignore")
    except UnicodeDecodeError:
        return None
    if len(text.encode()) < len(start) - 4:
        return None
    return text if all(character.isprintable() or character in "\r\n\t\f\ufeff" for character in text) else None


def _kind_of_text(text: str) -> str:
    beginning = text.lstrip("\ufeff \r\n\t").lower()
    if beginning.startswith(("<!doctype html", "<html")):
        return "an HTML page"
    if beginning.startswith("<svg") or (beginning.startswith("<?xml") and "<svg" in beginning):
        return "an SVG drawing"
    return "text"
