"""The public archives of "Dogs vs. Cats" laid out as folders: disjoint, whole, and listed."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePosixPath

import numpy as np

from imgclf.datasets.folders.decoding import in_threads
from imgclf.datasets.folders.file_tree import ImageFile, composed
from imgclf.datasets.folders.layout import flat_class
from imgclf.datasets.folders.places import read_tree
from imgclf.datasets.given import what_is_there
from imgclf.errors import ImgclfError, WorkFailed
from imgclf.images.decode import UnreadableImage
from imgclf.images.fit import ImageFit
from imgclf.texts import csv_text

CLASSES = {"cat": "cat", "cats": "cat", "dog": "dog", "dogs": "dog"}
LIST = "files.csv"
COLUMNS = ("file", "split", "class", "source", "left_out")
_AS_IT_IS = ImageFit(channels=3)

ReportProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Placed:
    """A file of the archive: where it went (``file`` below the target and ``split``), or why it was left out."""

    source: ImageFile
    label: str
    split: str
    file: str
    left_out: str = ""


@dataclass(frozen=True)
class Prepared:
    """What was laid out: the files taken and those looked at and left out, and how many do not tell their class."""

    taken: tuple[Placed, ...]
    left_out: tuple[Placed, ...]
    without_class: tuple[str, ...]
    passed_over: str | None

    def counts(self) -> Counter[tuple[str, str]]:
        """Images by split and class."""
        return Counter((one.split, one.label) for one in self.taken)


def prepare_cats_vs_dogs(
    source: Path, target: Path, *, train: int, test: int, seed: int, report_progress: ReportProgress
) -> Prepared:
    """Copy ``train`` and ``test`` images of each class to TARGET/train/cat and so on; TARGET appears whole or not.

    SOURCE is a folder or zip archive: flat names (cat.0.jpg, anywhere below it) or folders Cat and Dog. Which images is
    drawn by ``seed``; a larger ``test`` keeps the smaller one's. A file that is broken, or has the pixels of one taken
    before, is left out. Raises ImgclfError where TARGET holds something, or there are too few images.
    """
    _check_target(target)
    if (found := what_is_there(source)) not in ("folder", "file"):
        raise ImgclfError(f"{source}: no such folder or archive: {found}")
    tree = read_tree(source)
    pools: dict[str, list[ImageFile]] = {"cat": [], "dog": []}
    without_class = []
    for file in tree.images:
        label = _class_of(file)
        if label is None:
            without_class.append(file.name)
        else:
            pools[label].append(file)
    taken, left_out = _choose(pools, train, test, seed, source, report_progress)
    _lay_out(taken, left_out, target, report_progress)
    return Prepared(tuple(taken), tuple(left_out), tuple(without_class), tree.describe_passed_over())


def _check_target(target: Path) -> None:
    try:
        taken = (target.exists() or target.is_symlink()) and not (target.is_dir() and not any(target.iterdir()))
    except OSError as error:
        raise ImgclfError(f"{target}: cannot be reached: {error.strerror or error}") from error
    if taken:
        raise ImgclfError(
            f"{target}: is there already, and is no empty folder", hint="Name a folder that is not there."
        )


def _class_of(file: ImageFile) -> str | None:
    """cat or dog: by the file's name, else by the nearest folder that is named so."""
    name = PurePosixPath(file.name)
    texts = [flat_class(name.name), *(parent.name for parent in name.parents)]
    return next((CLASSES[text.lower()] for text in texts if text and text.lower() in CLASSES), None)


def _choose(
    pools: dict[str, list[ImageFile]], train: int, test: int, seed: int, source: Path, report_progress: ReportProgress
) -> tuple[list[Placed], list[Placed]]:
    taken: list[Placed] = []
    left_out: list[Placed] = []
    first_of: dict[bytes, ImageFile] = {}
    for label, pool in pools.items():
        _check_enough(source, label, len(pool), len(pool), train + test)
    for number, (label, pool) in enumerate(pools.items()):
        names = _names(pool)
        of_class: list[Placed] = []
        for file, verdict in _judged(_shuffled(pool, seed, number)):
            problem = verdict if isinstance(verdict, str) else None
            if isinstance(verdict, bytes) and (first := first_of.setdefault(verdict, file)) is not file:
                problem = f"the same picture as {first.name}"
            if problem:
                left_out.append(Placed(file, label, "", "", problem))
                continue
            split = "train" if len(of_class) < train else "test"
            of_class.append(Placed(file, label, split, f"{split}/{label}/{names[file.name]}"))
            report_progress("choosing photographs", len(taken) + len(of_class), (train + test) * len(pools))
            if len(of_class) == train + test:
                break
        _check_enough(source, label, len(of_class), len(pool), train + test)
        taken += of_class
    return taken, left_out


def _names(pool: list[ImageFile]) -> dict[str, str]:
    """A name for each file that no other has, also where capitals do not count: the file's own, or its folders' too."""
    plain = Counter(_key(_file_name(file)) for file in pool)
    names = {file.name: _file_name(file) for file in pool if plain[_key(_file_name(file))] == 1}
    taken = set(plain)
    for file in pool:
        if file.name in names:
            continue
        joined = PurePosixPath(file.name.replace("/", "-"))
        tries = (joined.name if number == 1 else f"{joined.stem}-{number}{joined.suffix}" for number in count(1))
        names[file.name] = next(name for name in tries if _key(name) not in taken)
        taken.add(_key(names[file.name]))
    return names


def _key(name: str) -> str:
    return composed(name).casefold()


def _check_enough(source: Path, label: str, found: int, files: int, asked: int) -> None:
    if found < asked:
        raise ImgclfError(
            f"{source}: {label}: {asked:,} images are asked for; found {found:,} whole and different ones among "
            f"{files:,} files",
            hint="Names must be like cat.0.jpg, or folders Cat and Dog; or ask for fewer: --train, --test.",
        )


def _shuffled(pool: list[ImageFile], seed: int, number: int) -> list[ImageFile]:
    drawn = np.random.Philox(key=np.array([seed, number], np.uint64)).random_raw(len(pool))
    return [pool[position] for position in np.argsort(drawn, kind="stable").tolist()]


def _judged(files: list[ImageFile]) -> Iterator[tuple[ImageFile, bytes | str]]:
    """Each file with the digest of its picture, or why it has none."""
    yield from zip(files, in_threads(_judge, files), strict=False)


def _judge(file: ImageFile) -> bytes | str:
    try:
        pixels = file.pixels(_AS_IT_IS)
    except UnreadableImage as error:
        return error.reason
    return hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).digest()


def _lay_out(taken: list[Placed], left_out: list[Placed], target: Path, report_progress: ReportProgress) -> None:
    unfinished = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
        for done, one in enumerate(taken, 1):
            path = unfinished / one.file
            path.parent.mkdir(parents=True, exist_ok=True)
            _copy(one.source, path)
            report_progress("copying photographs", done, len(taken))
        rows = ([one.file, one.split, one.label, str(one.source.path), one.left_out] for one in taken + left_out)
        (unfinished / LIST).write_text(csv_text(COLUMNS, rows), encoding="utf-8", newline="")
        unfinished.chmod(0o755)
        unfinished.replace(target)
    except OSError as error:
        raise WorkFailed(f"{target}: cannot be written: {error.strerror or error}") from error
    finally:
        if unfinished is not None:
            shutil.rmtree(unfinished, ignore_errors=True)


def _copy(file: ImageFile, path: Path) -> None:
    content = file.content()
    if content is None:
        shutil.copyfile(file.path, path)
    else:
        path.write_bytes(content)


def _file_name(file: ImageFile) -> str:
    return PurePosixPath(file.name).name
