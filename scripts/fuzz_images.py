#!/usr/bin/env python3
"""Broken image files through the decoder: each must be decoded or refused with a reason, within its time, in silence.

    scripts/fuzz_images.py [--files 2000] [--seed 1] [--seconds 10] [--folder FOLDER]

Good files of every format are damaged (bytes flipped, file cut, parts swapped, random bytes behind a good beginning),
the same ones for the same seed, written to FOLDER (default: one that is deleted at the end) and decoded by a process of
its own, at full size, fitted to 64x64, and header alone. Prints how many were decoded, refused (with the reasons),
crashed the process, took longer than the limit, raised another error than the decoder's, or had a library print or
warn. Exit status 1 if there is any of the last four.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import os
import random
import re
import selectors
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

BAD = ("crash", "hang", "traceback", "output")
PIXEL_LIMIT = 16_000_000


@dataclass(frozen=True)
class Outcome:
    """What became of one file: decoded, refused, or one of BAD; with the decoder's reason or what went wrong."""

    kind: str
    detail: str = ""


def main() -> int:
    """Damage, decode, count."""
    arguments = parse_arguments()
    if arguments.child:
        return decode_named_files()
    with tempfile.TemporaryDirectory(prefix="imgclf-fuzz-") as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        files = list(write_damaged(folder, arguments.files, arguments.seed))
        started = time.monotonic()
        outcomes = dict(zip(files, run_through_decoder(files, arguments.seconds), strict=True))
        return report(outcomes, time.monotonic() - started)


def parse_arguments() -> argparse.Namespace:
    """What the user asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10, help="time limit for one file")
    parser.add_argument("--folder", type=Path, help="where the damaged files are written and kept")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def good_files() -> dict[str, bytes]:
    """One small file of each format and kind of pixels, by the name that it gets."""
    import cv2
    import numpy as np
    from PIL import Image, features

    rows, columns = np.mgrid[:120, :160]
    scene = np.dstack([rows * 2, columns * 3 // 2, (rows * columns) // 80 % 256]).astype(np.uint8)
    scene[20:60, 30:90] = np.random.default_rng(1).integers(0, 256, (40, 60, 3))
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


def flip_bytes(content: bytearray, chance: random.Random) -> None:
    """Some bytes changed, half of the time near the beginning, where the structure is."""
    end = len(content) if chance.random() < 0.5 else min(len(content), 300)
    for _ in range(chance.choice((1, 2, 5, 20, 100))):
        content[chance.randrange(end)] = chance.randrange(256)


def cut(content: bytearray, chance: random.Random) -> None:
    """The end missing, or a part within."""
    start = chance.randrange(len(content))
    end = len(content) if chance.random() < 0.5 else chance.randrange(start, len(content))
    del content[start:end]


def swap(content: bytearray, chance: random.Random) -> None:
    """Two parts in each other's place."""
    length = chance.randrange(1, max(2, len(content) // 4))
    first = chance.randrange(0, len(content) - 2 * length)
    second = chance.randrange(first + length, len(content) - length)
    parts = content[first : first + length], content[second : second + length]
    content[second : second + length], content[first : first + length] = parts


def randomise(content: bytearray, chance: random.Random) -> None:
    """Random bytes behind a beginning of random length."""
    start = chance.randrange(2, min(len(content), 400))
    content[start:] = chance.randbytes(len(content) - start)


WAYS: tuple[Callable[[bytearray, random.Random], None], ...] = (flip_bytes, cut, swap, randomise)


def write_damaged(folder: Path, count: int, seed: int) -> Iterator[Path]:
    """``count`` damaged files, every format and way of damage in turn; the same ones for the same seed."""
    kinds = list(good_files().items())
    for number in range(count):
        chance = random.Random(seed * 1_000_003 + number)
        name, good = kinds[number % len(kinds)]
        way = WAYS[number // len(kinds) % len(WAYS)]
        content = bytearray(good)
        way(content, chance)
        path = folder / f"{number:05d}-{way.__name__}-{name}"
        path.write_bytes(content)
        yield path


def run_through_decoder(files: list[Path], seconds: float) -> Iterator[Outcome]:
    """The outcome of each file, in order; a process that crashed or hangs is followed by another."""
    child = start_child()
    for path in files:
        assert child.stdin is not None
        child.stdin.write(f"{path}\n".encode())
        child.stdin.flush()
        outcome = answer_of(child, seconds)
        if outcome.kind in ("crash", "hang"):
            child.kill()
            child.wait()
            child = start_child()
        yield outcome
    child.kill()
    child.wait()


def start_child() -> subprocess.Popen[bytes]:
    """A process that waits for the names of files."""
    command = [sys.executable, __file__, "--child"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    assert child.stdout is not None
    child.stdout.readline()  # it has imported its libraries
    return child


def answer_of(child: subprocess.Popen[bytes], seconds: float) -> Outcome:
    """What the process says of the file that it was given, or that it says nothing."""
    assert child.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        if not selector.select(seconds):
            return Outcome("hang", f"no answer within {seconds:g} s")
    line = child.stdout.readline()
    return Outcome(**json.loads(line)) if line else Outcome("crash", f"exit status {child.wait()}")


def decode_named_files() -> int:
    """The child: decode the files named on standard input and answer with an outcome each."""
    answers = os.fdopen(os.dup(1), "w")
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
        warnings.simplefilter("always")  # and not once for each place
        decode_file(Path(__file__))
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            printed.seek(0)
            printed.truncate()
            outcome = decode_file(Path(line.rstrip("\n")))
            sys.stdout.flush()
            sys.stderr.flush()
            printed.seek(0)
            if output := printed.read().decode(errors="replace"):
                outcome = Outcome("output", output.strip())
            print(json.dumps(vars(outcome)), file=answers, flush=True)
    return 0


def decode_file(path: Path) -> Outcome:
    """One file by all ways into the decoder."""
    from imgclf.images.decode import UnreadableImage, decode, image_info, read_image
    from imgclf.images.fit import ImageFit

    try:
        info = image_info(path, pixel_limit=PIXEL_LIMIT)
        fitted = read_image(path, ImageFit((64, 64), 3, "crop"), pixel_limit=PIXEL_LIMIT)
        whole = decode(path, 3, pixel_limit=PIXEL_LIMIT)
    except UnreadableImage as error:
        return Outcome("refused", error.reason)
    except BaseException as error:
        return Outcome("traceback", f"{type(error).__name__}: {error}")
    if fitted.shape != (64, 64, 3) or whole.shape != (info.height, info.width, 3):
        return Outcome("traceback", f"header {info}, decoded {whole.shape}, fitted {fitted.shape}")
    return Outcome("decoded")


def report(outcomes: dict[Path, Outcome], seconds: float) -> int:
    """Print the counts; 1 if any outcome is bad."""
    kinds = collections.Counter(outcome.kind for outcome in outcomes.values())
    print(
        f"{len(outcomes)} damaged files in {seconds:.0f} s: {kinds['decoded']} decoded, {kinds['refused']} refused, ",
        end="",
    )
    print(", ".join(f"{kinds[kind]} {kind}" for kind in BAD))
    reasons = collections.Counter(
        re.sub(r"\d+", "N", outcome.detail) for outcome in outcomes.values() if outcome.kind == "refused"
    )
    for reason, count in reasons.most_common(12):
        print(f"  {count:5} {reason[:100]}")
    for path, outcome in outcomes.items():
        if outcome.kind in BAD:
            print(f"{outcome.kind}: {path.name}: {outcome.detail[:300]}", file=sys.stderr)
    return int(any(kinds[kind] for kind in BAD))


if __name__ == "__main__":
    sys.exit(main())
