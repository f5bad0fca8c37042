"""Which image files the user means: files, folders and patterns turned into one list."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from imgclf.errors import ImgclfError
from imgclf.images.walk import DEAD_LINK, HIDDEN, IMAGE_EXTENSIONS, NO_IMAGE, is_hidden, reason_against, walk


@dataclass(frozen=True)
class Found:
    """Image files in the order of the arguments, and what was left out, each with the reason."""

    files: tuple[Path, ...]
    skipped: tuple[tuple[Path, str], ...]


def image_files(arguments: Sequence[str]) -> Found:
    """The image files that arguments name: each a file, a folder with all below it, or a pattern (``*.png``, ``**``).

    A file that is named is taken whatever it is, and where it is not there, for its reader to say so; from a folder,
    and by a pattern without an extension, come files that have an image's extension or start as an image does, in
    natural order (2 before 10). A file that is reached twice is kept once. Raises ImgclfError for a folder or pattern
    that matches nothing, or only files that are no images, and where no file is there at all.
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
    if files and not any(os.path.lexists(file) for file in files.values()):
        raise ImgclfError(
            f"{next(iter(files.values()))}: no such file or folder",
            hint="give image files, folders, or patterns such as '*.png'",
        )
    return Found(tuple(files.values()), tuple(dict.fromkeys(skipped)))


def _expand(argument: str) -> Found:
    path = Path(argument)
    if path.is_dir():
        return _from_folder(path)
    if glob.has_magic(argument) and not os.path.lexists(path):
        return _from_pattern(argument)
    return Found((path,), ())


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
    shown = [
        match for match in matches if not any(_starts_with_dot(part) and part not in parts for part in match.parts)
    ]
    return sorted(shown, key=natural_key)


def _from_folder(folder: Path) -> Found:
    try:
        met = sorted(walk(folder, outward=True), key=lambda one: natural_key(PurePath(one.name)))
    except OSError as error:
        return Found((), ((folder, f"cannot be listed: {error.strerror or error}"),))
    left_out = tuple((folder / one.name, one.left_out) for one in met if one.left_out is not None)
    found = _sift(folder / one.name for one in met if one.left_out is None and not one.is_folder)
    return Found(found.files, (*found.skipped, *left_out))


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
    if is_hidden(path.name):
        return HIDDEN
    if not path.exists():
        return DEAD_LINK
    reason = reason_against(path)
    return None if reason == NO_IMAGE and any_extension else reason


def _starts_with_dot(name: str) -> bool:
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
