"""Which image files the user means: files, folders and patterns turned into one list."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from imgclf.errors import ImgclfError
from imgclf.images.signature import file_format

START_BYTES = 512  # enough of a file to tell its format
IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".avif")


@dataclass(frozen=True)
class Found:
    """Image files in the order of the arguments, and what was left out, each with the reason."""

    files: tuple[Path, ...]
    skipped: tuple[tuple[Path, str], ...]


def image_files(arguments: Sequence[str]) -> Found:
    """The image files that arguments name: each a file, a folder with all below it, or a pattern (``*.png``, ``**``).

    A file that is named is taken whatever it is; from a folder, and by a pattern without an extension, come files that
    have an image's extension or start as an image does, in natural order (2 before 10). A file that is reached twice is
    kept once. Raises ImgclfError for an argument that matches nothing, or only files that are no images.
    """
    files: dict[str, Path] = {}
    skipped: list[tuple[Path, str]] = []
    for argument in arguments:
        found = _expand(argument)
        if not found.files:
            raise _nothing_found(argument, found.skipped)
        skipped += found.skipped
        for file in found.files:
            first = files.setdefault(os.path.realpath(file), file)
            if first != file:
                skipped.append((file, f"the same file as {first}"))
    return Found(tuple(files.values()), tuple(dict.fromkeys(skipped)))


def _expand(argument: str) -> Found:
    path = Path(argument)
    if path.is_dir():
        return _from_folder(path)
    if os.path.lexists(path):
        return Found((path,), ())
    if glob.has_magic(argument):
        return _from_pattern(argument)
    raise ImgclfError(
        f"{argument}: no such file or folder", hint="give image files, folders, or patterns such as '*.png'"
    )


def _from_pattern(pattern: str) -> Found:
    """A pattern's matches; one that names an extension ("scans/*.dat") means it. Links to folders are not descended."""
    named = Path(pattern).suffix not in ("", ".*")
    files: list[Path] = []
    skipped: list[tuple[Path, str]] = []
    for match in _matches(pattern):
        found = _from_folder(match) if match.is_dir() else _sift([match], any_extension=named)
        files += found.files
        skipped += found.skipped
    return Found(tuple(dict.fromkeys(files)), tuple(dict.fromkeys(skipped)))


def _matches(pattern: str) -> list[Path]:
    parts = Path(pattern).parts
    plain = len(list(itertools.takewhile(lambda part: not glob.has_magic(part), parts)))
    try:
        # ``glob.glob`` follows links into folders, and two that lead upwards make it endless.
        matches = list(Path(*parts[:plain]).glob(str(Path(*parts[plain:]))))
    except ValueError as error:
        raise ImgclfError(f"{pattern}: not a pattern: {error}") from error
    # As in a shell, a name that starts with a dot is matched only where the pattern says the dot.
    shown = [match for match in matches if not any(_is_hidden(part) and part not in parts for part in match.parts)]
    return sorted(shown, key=natural_key)


def _from_folder(folder: Path) -> Found:
    left_out: list[tuple[Path, str]] = []
    found = _sift(sorted(_walk(folder, (), left_out), key=natural_key))
    return Found(found.files, (*found.skipped, *left_out))


def _walk(folder: Path, above: tuple[str, ...], left_out: list[tuple[Path, str]]) -> Iterator[Path]:
    """All files below a folder, links followed; a link to a folder that it lies in is not."""
    real = os.path.realpath(folder)
    if real in above:
        left_out.append((folder, "a link to a folder that it lies in"))
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        left_out.append((folder, f"cannot be listed: {error.strerror}"))
        return
    for entry in entries:
        if entry.is_dir() and _is_hidden(entry.name):
            left_out.append((entry, "hidden folder"))
        elif entry.is_dir():
            yield from _walk(entry, (*above, real), left_out)
        else:
            yield entry


def _sift(paths: Iterable[Path], *, any_extension: bool = False) -> Found:
    files: list[Path] = []
    skipped: list[tuple[Path, str]] = []
    for path in paths:
        reason = _reason_to_skip(path, any_extension)
        if reason is None:
            files.append(path)
        else:
            skipped.append((path, reason))
    return Found(tuple(files), tuple(skipped))


def _reason_to_skip(path: Path, any_extension: bool) -> str | None:
    if _is_hidden(path.name):
        return "hidden file"
    if not path.exists():
        return "a link to nothing"
    if not path.is_file():
        return "a device or a pipe"
    if any_extension or path.suffix.lower() in IMAGE_EXTENSIONS or _starts_as_an_image(path):
        return None
    return "no image by name and content"


def _starts_as_an_image(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return file_format(stream.read(START_BYTES)) is not None
    except OSError:
        return False  # what can't be read is named as no image


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and name not in (".", "..")


def natural_key(path: PurePath) -> list[list[tuple[int, str]]]:
    """Sorts paths as people count, part by part."""
    return [natural_parts(part) for part in path.parts]


def natural_parts(name: str) -> list[tuple[int, str]]:
    """Sorts names as people count: runs of digits by their value, before letters; letters without case."""
    parts = re.split(r"(\d+)", name.lower())
    # Digits compare by length without leading zeros, then by character: by value.
    return [
        (len(part.lstrip("0")), part.lstrip("0")) if part.isdecimal() else (1 << 20, part) for part in parts if part
    ]


def _nothing_found(argument: str, skipped: Sequence[tuple[Path, str]]) -> ImgclfError:
    if not skipped:
        return ImgclfError(f"{argument}: holds or matches no file", hint=f"looked from {Path.cwd()}")
    path, reason = skipped[0]
    extensions = " ".join(IMAGE_EXTENSIONS)
    return ImgclfError(
        f"{argument}: no image file among {len(skipped)} files, the first: {path} ({reason})",
        hint=f"from a folder come files that end in {extensions} or start as an image does",
    )
