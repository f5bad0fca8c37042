"""Files and folders that a user names in an experiment: where a relative path is looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from imgclf.errors import ImgclfError
from imgclf.texts import from_home

Kind = Literal["folder", "file", "folder or file"]


def find_given(path: str, data_dir: Path, kind: Kind, key: str, obtain: str | None = None) -> Path:
    """The path where it stands: a relative one in the working directory, else in the data folder.

    ``key`` names the setting. Raises ImgclfError with every place that was looked at; ``obtain`` says how to get what
    is missing.
    """
    given = from_home(path)
    places = list(dict.fromkeys([given, data_dir / given]))
    found = [what_is_there(place) for place in places]
    for place, what in zip(places, found, strict=True):
        if what in kind.split(" or "):
            return place
    looked = [f"  looked at {place.absolute()}: {what}" for place, what in zip(places, found, strict=True)]
    raise ImgclfError("\n".join([f"dataset.{key}: there is no {kind} {path}", *looked]), hint=obtain)


def what_is_there(place: Path) -> str:
    """ "folder", "file", or why it is neither."""
    try:
        if place.is_dir():
            return "folder"
        return "file" if place.is_file() else "not there"
    except (OSError, ValueError) as error:
        return f"cannot be reached: {getattr(error, 'strerror', None) or error}"
