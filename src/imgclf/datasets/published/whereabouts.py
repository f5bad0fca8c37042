"""Where a published data set is looked for, and its download where it lies nowhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from imgclf.datasets.base import DataPlaces
from imgclf.errors import ImgclfError
from imgclf.texts import from_home


@dataclass(frozen=True)
class Place:
    """A folder or file that may hold a data set; ``of_user`` where the user is the one who fills it."""

    path: Path
    of_user: bool


@dataclass(frozen=True)
class Miss:
    """Why a place was not taken; ``notable`` where something is there that the user may think is in use."""

    path: Path
    problem: str
    notable: bool


class Described(Protocol):
    """A place that holds the whole data set."""

    def describe(self) -> str:
        """The place and its files, in one line."""


Found = TypeVar("Found", bound=Described)


@dataclass(frozen=True)
class PublishedFile:
    """A file as it lies on the mirrors.

    Size and SHA-256 are those of its content after decompression, unless it ``is_hashed_packed``, as it lies there.
    """

    name: str
    content_bytes: int
    content_sha256: str
    is_hashed_packed: bool = False


@dataclass(frozen=True)
class Whereabouts(Generic[Found]):
    """All that finds or fetches a data set.

    ``look_at`` tells what lies at one of the ``places``. ``files`` come from the ``mirrors`` into ``folder``, where the
    data set then is at ``arrives_at``. ``wanted`` names the files to a person, and ``obtain`` says how to get them.
    """

    title: str
    places: tuple[Place, ...]
    look_at: Callable[[Path], Found | Miss]
    files: tuple[PublishedFile, ...]
    mirrors: tuple[str, ...]
    folder: Path
    arrives_at: Path
    wanted: str
    obtain: str


def find_or_download(data: Whereabouts[Found], places: DataPlaces) -> tuple[Found, list[str]]:
    """The first place that holds the data set, where it is downloaded to if none does; and lines for the user.

    Raises ImgclfError where it is found nowhere and cannot be downloaded.
    """
    found, misses = find_first(data.places, data.look_at)
    notes = [f"{data.title}: passed over {miss.path}: {miss.problem}" for miss in misses if miss.notable]
    if found is None:
        found, download_notes = _download(data, places, misses)
        notes += download_notes
    return found, notes


def find_first(places: Iterable[Place], look_at: Callable[[Path], Found | Miss]) -> tuple[Found | None, list[Miss]]:
    """What lies at the first place that holds the whole data set, and why each place before it was not taken.

    Files of different places are never mixed. Raises ImgclfError for a user's place that holds some of the files.
    """
    misses: list[Miss] = []
    for place in places:
        found = look_at(place.path)
        if not isinstance(found, Miss):
            return found, misses
        if found.notable and place.of_user:
            raise ImgclfError(
                f"{found.path}: {found.problem}",
                hint="Put what is missing beside the rest, or move it away: what is there is not mixed with files of "
                "other places.",
            )
        misses.append(found)
    return None, misses


def tell_where(data: Whereabouts[Found], places: DataPlaces, say: Callable[[str], None]) -> None:
    """Find or download the data set, and say where it is. Raises ImgclfError as ``find_or_download`` does."""
    found, notes = find_or_download(data, places)
    for text in (f"{data.title} is in {found.describe()}", *notes):
        say(text)


def where(data: Whereabouts[Found]) -> str | None:
    """The place of the data set on this machine and its files, in one line; None where it lies nowhere.

    Raises ImgclfError for a user's place that holds some of the files.
    """
    found, _ = find_first(data.places, data.look_at)
    return found.describe() if found else None


def keras_datasets_folder() -> Path:
    """The folder in which Keras keeps the data sets that it downloaded."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else from_home("~/.keras")) / "datasets"


def _download(data: Whereabouts[Found], places: DataPlaces, misses: Sequence[Miss]) -> tuple[Found, list[str]]:
    # Imported here: it takes about 50 ms, which only a download should cost.
    from imgclf.datasets.published.download import download_files

    download = download_files(data.files, data.mirrors, data.folder, places.report_progress)
    found = data.look_at(data.arrives_at)
    if download.complete and not isinstance(found, Miss):
        return found, [f"{data.title}: downloaded from {', '.join(download.mirrors)}", *download.failures]
    lines = [
        f"{data.title}: found in none of its places, and could not be downloaded",
        *(f"  looked in {miss.path}: {miss.problem}" for miss in misses),
        f"  for {data.wanted}",
        *(f"  tried {failure}" for failure in download.failures),
    ]
    raise ImgclfError("\n".join(lines), hint=data.obtain)
