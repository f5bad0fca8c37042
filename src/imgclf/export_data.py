"""The job `data export`: the images and labels of an experiment's splits as one file of arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import Split, Splits, Target
from imgclf.datasets.stored.rows import pieces
from imgclf.errors import ImgclfError
from imgclf.experiment.load import load_experiment
from imgclf.loading import load_splits, say_left_out
from imgclf.runs.files import replacing
from imgclf.screen import Screen, Silent

ExportFormat = Literal["hdf5", "npz"]
SUFFIXES: dict[str, ExportFormat] = {".h5": "hdf5", ".hdf5": "hdf5", ".npz": "npz"}

_PIECE_BYTES = 2**23
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip file knows: equal data give equal files


@dataclass(frozen=True)
class Exported:
    """What was written: the file, each array in it with its shape and type, and the section that loads it back."""

    file: Path
    arrays: dict[str, str]
    section: dict[str, Any]


@dataclass(frozen=True)
class _Writer:
    """Writes arrays, one after the other: ``save`` takes a name, shape, type and the rows, piece by piece."""

    save: Callable[[str, tuple[int, ...], np.dtype[Any], Iterator[NDArray[Any]]], None]
    save_names: Callable[[str, tuple[str, ...]], None]


def export_data(
    config: str,
    file: Path,
    *,
    form: ExportFormat | None = None,
    overrides: Sequence[str] = (),
    data_dir: str | Path | None = None,
    screen: Screen | None = None,
) -> Exported:
    """Write the data of an experiment, before normalisation and augmentation, into a new file.

    uint8 pixels are written as they are, float32 ones as float64 fractions, from which they come back bit by bit. The
    format is that of the file's ending unless ``form`` says it. Raises ImgclfError where the file is there already.
    """
    screen = screen or Silent()
    form = form or _format_of(file)
    if file.exists():
        raise ImgclfError(f"{file}: is there already, and is not written over", hint="Choose another name, or move it.")
    splits = load_splits(load_experiment(config, overrides).experiment, data_dir, screen)
    for note in splits.notes:
        screen.say(f"data    {note}")
    say_left_out(splits, screen)
    parts = _parts(splits)
    arrays: dict[str, str] = {}
    with replacing(file) as temporary, _WRITERS[form](temporary) as writer:
        for name, split in parts.items():
            _write_split(writer, name, split, arrays, screen)
        for name, class_names in _names_arrays(splits.targets).items():
            writer.save_names(name, class_names)
            arrays[name] = f"{len(class_names)} texts"
    return Exported(file, arrays, _section(form, file, parts, splits.targets))


def _format_of(file: Path) -> ExportFormat:
    if file.suffix.lower() not in SUFFIXES:
        raise ImgclfError(f"{file}: must end in {', '.join(SUFFIXES)}", hint="Or say the format: --format hdf5 or npz.")
    return SUFFIXES[file.suffix.lower()]


def _parts(splits: Splits) -> dict[str, Split]:
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.load_test()}
    return {name: split for name, split in parts.items() if split is not None}


def _write_split(writer: _Writer, name: str, split: Split, arrays: dict[str, str], screen: Screen) -> None:
    pixels, count = split.pixels, len(split)
    dtype = np.dtype(np.uint8 if pixels.dtype == np.uint8 else np.float64)
    shape = (count, *pixels.image_shape)
    images_a_piece = max(1, _PIECE_BYTES // int(np.prod(pixels.image_shape)))

    def images() -> Iterator[NDArray[Any]]:
        for piece in pieces(count, images_a_piece):
            taken = pixels.take(piece)
            yield taken if dtype == np.uint8 else taken.astype(np.float64) / 255
            screen.progress(f"writing {name} images", int(piece[-1]) + 1, count)

    labels = split.labels.astype(np.int32)
    labels = labels[:, 0] if labels.shape[1] == 1 else labels
    writer.save(f"{name}_images", shape, dtype, images())
    writer.save(f"{name}_labels", labels.shape, labels.dtype, iter([labels]))
    arrays[f"{name}_images"], arrays[f"{name}_labels"] = (
        _array_text(dtype, shape),
        _array_text(labels.dtype, labels.shape),
    )


def _array_text(dtype: np.dtype[Any], shape: tuple[int, ...]) -> str:
    return f"{dtype} {' x '.join(f'{side:,}' for side in shape)}"


def _names_arrays(targets: Sequence[Target]) -> dict[str, tuple[str, ...]]:
    """The class names of each target, by the name of their array. A slash would make a group of it."""
    if _is_plain(targets):
        return {"class_names": targets[0].class_names}
    return {f"class_names_{number}": target.class_names for number, target in enumerate(targets, 1)}


def _is_plain(targets: Sequence[Target]) -> bool:
    """Whether there is but one label column, of the name that it has where none is given."""
    return [target.name for target in targets] == ["label"]


@contextmanager
def _writing_hdf5(path: Path) -> Iterator[_Writer]:
    import h5py

    with h5py.File(path, "w") as file:

        def save(name: str, shape: tuple[int, ...], dtype: np.dtype[Any], parts: Iterator[NDArray[Any]]) -> None:
            dataset, done = file.create_dataset(name, shape, dtype), 0  # in one stretch: it can be mapped
            for part in parts:
                dataset[done : done + len(part)] = part
                done += len(part)

        def save_names(name: str, names: tuple[str, ...]) -> None:
            file.create_dataset(name, data=list(names), dtype=h5py.string_dtype())

        yield _Writer(save, save_names)


@contextmanager
def _writing_npz(path: Path) -> Iterator[_Writer]:
    with zipfile.ZipFile(path, "w") as archive:

        def save(name: str, shape: tuple[int, ...], dtype: np.dtype[Any], parts: Iterator[NDArray[Any]]) -> None:
            header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            member = zipfile.ZipInfo(f"{name}.npy", _NO_TIME)
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array_header_1_0(file, header)
                for part in parts:
                    file.write(np.ascontiguousarray(part).data.cast("B"))

        def save_names(name: str, names: tuple[str, ...]) -> None:
            texts = np.array(names)
            save(name, texts.shape, texts.dtype, iter([texts.view(np.uint8)]))

        yield _Writer(save, save_names)


def _section(form: ExportFormat, file: Path, parts: dict[str, Split], targets: Sequence[Target]) -> dict[str, Any]:
    section: dict[str, Any] = {"name": form, "path": str(file)}
    for part in parts:
        section |= {f"{part}_images": f"{part}_images", f"{part}_labels": f"{part}_labels"}
    if "validation" not in parts:
        section["validation_size"] = 0
    names = list(_names_arrays(targets))
    if _is_plain(targets):
        return {"dataset": {**section, "class_names": names[0]}}
    columns = [{"name": target.name, "class_names": name} for target, name in zip(targets, names, strict=True)]
    return {"dataset": {**section, "label_columns": columns}}


_WRITERS = {"hdf5": _writing_hdf5, "npz": _writing_npz}
