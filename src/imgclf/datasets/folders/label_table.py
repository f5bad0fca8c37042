"""Labels from a CSV file of file names: a row an image, a column a target."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from imgclf.datasets.base import Quarantined
from imgclf.datasets.folders.file_tree import ImageFile, Tree, composed
from imgclf.datasets.folders.layout import LabelledFile, Layout, split_of
from imgclf.errors import ImgclfError
from imgclf.texts import few

DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class Columns:
    """The names of the columns that are read; ``split`` None: the file has no such column."""

    file: str
    labels: tuple[str, ...]
    split: str | None

    def all(self) -> tuple[str, ...]:
        """Every column that must be there."""
        return (self.file, *self.labels, *([self.split] if self.split else []))


def csv_layout(path: Path, columns: Columns, tree: Tree) -> Layout:
    """The files that the rows name, which lie in ``tree``, with their labels.

    A row without a file or without a label goes into the quarantine. Raises ImgclfError where the file is no such
    table, a column is missing, a name leads out of the folder, a file stands in two rows, or a split is unknown.
    """
    files = _by_name(tree)
    splits: dict[str, list[LabelledFile]] = {"train": [], "validation": [], "test": []}
    quarantine: list[Quarantined] = []
    rows: dict[str, int] = {}
    for line, row in _rows(path, columns):
        split = _split(row[columns.split], path, line) if columns.split else "train"
        where = f"({path.name}, line {line})"
        if not row[columns.file].strip():
            quarantine.append(Quarantined(tree.root, f"no file name {where}", "label"))
            continue
        name = _name(row[columns.file], path, line)
        if name in rows:
            raise ImgclfError(f"{path}:{line}: {name!r} stands in line {rows[name]} already")
        rows[name] = line
        gaps = [column for column in columns.labels if not row[column].strip()]
        if name not in files:
            reason = f"not there, or no image by name and content {where}"
            quarantine.append(Quarantined(tree.root / name, reason))
        elif gaps:
            quarantine.append(Quarantined(tree.root / name, f"no label in {', '.join(gaps)} {where}", "label"))
        else:
            labels = tuple(composed(row[column].strip()) for column in columns.labels)
            splits[split].append(LabelledFile(files[name], labels))
    if not splits["train"]:
        raise ImgclfError(f"{path}: names no image to train on that lies in {tree.root} and has its labels")
    return Layout(
        f"labels from {path} ({', '.join(columns.labels)})",
        tuple(splits["train"]),
        tuple(splits["validation"]) or None,
        tuple(splits["test"]) or None,
        notes=_unlisted(files, rows),
        target_names=columns.labels,
        quarantine=tuple(quarantine),
    )


def _by_name(tree: Tree) -> dict[str, ImageFile]:
    files: dict[str, ImageFile] = {}
    for file in tree.images:
        name = composed(file.name)
        if name in files:
            raise ImgclfError(
                f"{tree.root}: two files have the name {name!r}, which differ only in how they write its accents",
                hint="Rename one of them.",
            )
        files[name] = file
    return files


def _rows(path: Path, columns: Columns) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with the line that it ends in, counted from 1."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ImgclfError(f"{path}: cannot be read as text in UTF-8: {error}") from error
    head = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        found = list(reader.fieldnames or ())
        missing = [name for name in columns.all() if name not in found]
        if missing:
            raise ImgclfError(
                f"{path}: has no column {', '.join(missing)}; its first line names {', '.join(found) or 'none'}",
                hint="dataset.file_column, label_columns and split_column name the columns.",
            )
        twice = [name for name in columns.all() if found.count(name) > 1]
        if twice:
            raise ImgclfError(f"{path}: has more than one column {', '.join(twice)}")
        for row in reader:
            if any(cell.strip() for cell in row.get(None, ())):  # where csv puts the surplus
                raise ImgclfError(
                    f"{path}:{reader.line_num}: has more cells than the first line",
                    hint=f"Quote a text that holds {delimiter!r}; each label has a column of its own.",
                )
            yield reader.line_num, {name: row[name] or "" for name in columns.all()}
    except csv.Error as error:
        raise ImgclfError(f"{path}:{reader.line_num}: not a CSV table: {error}") from error


def _name(text: str, path: Path, line: int) -> str:
    """A file's name below the folder, with slashes and without "./"."""
    name = PurePosixPath(composed(text.strip().replace("\\", "/")))
    if name.is_absolute() or ".." in name.parts:
        raise ImgclfError(f"{path}:{line}: {text!r} leads out of the folder of the images")
    return str(name)


def _split(text: str, path: Path, line: int) -> str:
    split = split_of(text)
    if split is None:
        raise ImgclfError(f"{path}:{line}: the split must be train, validation or test; got {text!r}")
    return split


def _unlisted(files: dict[str, ImageFile], rows: dict[str, int]) -> tuple[str, ...]:
    names = [file.name for name, file in files.items() if name not in rows]
    return (f"not used, since no row names them: {len(names):,} images ({few(names)})",) if names else ()
