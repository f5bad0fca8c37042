"""`imgclf predict`."""

from __future__ import annotations

import csv
import io
import itertools
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgclf.cli.options import DataDir, Debug, DeviceOption, Json, RunsDir
from imgclf.errors import ImgclfError, WorkFailed, printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from imgclf.predict import FileResult, Prediction, Predictions

SAVED_SIDE = 1024  # pixels: a larger image is saved reduced
SAVED_NAME_BYTES = 200  # file systems take 255, of which the temporary name needs some
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs a cell that starts like this


def predict(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE", help="Images (PNG, JPEG, BMP, WebP, TIFF, GIF), folders, or patterns such as '*.png'."
        ),
    ],
    run: Annotated[
        str | None,
        typer.Option("--run", help="A run's folder or name (default: latest, the newest finished one)."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--weights", metavar="FILE", help="Weights of a run, or with --config any.")
    ] = None,
    config: Annotated[
        str | None, typer.Option("--config", help="The experiment of weights that lie in no run.")
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, metavar="N", help="How many classes to name.")] = 3,
    json: Json = False,
    csv_file: Annotated[
        str | None,
        typer.Option("--csv", metavar="FILE", help="Write a table with a column a class; - is standard output."),
    ] = None,
    save: Annotated[
        str | None, typer.Option("--save", metavar="DIR", help="Save the images, enlarged, with their labels.")
    ] = None,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Only resize: don't make drawings in dark ink white on black.")
    ] = False,
    device: DeviceOption = None,
    data_dir: DataDir = None,
    runs_dir: RunsDir = None,
    debug: Debug = False,
) -> None:
    """Say what image files show. Files that can't be read are named, and the rest go on; the exit status is then 1."""
    from imgclf.images.find import image_files
    from imgclf.places import runs_folder
    from imgclf.trained import find_source

    _check_outputs(json, csv_file, save)  # mistakes are told before TensorFlow takes its seconds
    find_source(run, Path(weights) if weights else None, config, runs_folder(runs_dir))
    found = image_files(files)
    for path, reason in found.skipped:
        _say(f"skipped: {path}: {reason}")

    from imgclf.cli.screen import Terminal
    from imgclf.predict import predict as run_prediction

    with Terminal().working(debug) as screen:
        predictions = run_prediction(
            found.files,
            run=run,
            weights=weights,
            config=config,
            top=top,
            as_is=as_is,
            device=device.value if device else None,
            data_dir=data_dir,
            runs_dir=runs_dir,
            screen=screen,
        )
    _print(predictions, json, csv_file)
    if save:
        save_pictures(predictions.results, Path(save))
        _say(f"labelled images are in {save}")
    _end(predictions.results)


def prediction_text(file: Path, prediction: Prediction) -> str:
    """A prediction for people: the most likely class, the next ones, and on a line below what was done to the image."""
    text = f"{file}: {prediction.label} ({_percent(prediction.probability)})"
    others = [f"{label} {_percent(probability)}" for label, probability in prediction.top[1:]]
    lines = ["; ".join([text, ", ".join(others)] if others else [text])]
    if prediction.steps:
        lines.append("  " + "; ".join(prediction.steps))
    return "\n".join(printable(line) for line in lines)


def table_text(predictions: Predictions) -> str:
    """The predictions as CSV: file, label, probability, the probability of each class, error."""
    names = predictions.class_names
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["file", "label", "probability", *map(_cell, names), "error"])
    for result in predictions.results:
        answer, prediction = result.to_json(), result.prediction
        if prediction is None:
            writer.writerow([_cell(answer["file"]), "", "", *[""] * len(names), _cell(answer["error"])])
        else:
            answers = [_cell(prediction.label), prediction.probability, *prediction.probabilities.tolist()]
            writer.writerow([_cell(answer["file"]), *answers, ""])
    return table.getvalue()


def save_pictures(results: Sequence[FileResult], folder: Path) -> None:
    """Write each image that was classified, enlarged, with its label below, to FOLDER/NAME-LABEL.png.

    Where two would have one name, or a picture the name of an image that was given, a number is added. Raises
    WorkFailed where the folder can't be written.
    """
    from imgclf.images.decode import decode
    from imgclf.reporting.grids import label_image

    taken = {_identity(result.file) for result in results}
    for result in results:
        prediction = result.prediction
        if prediction is None:
            continue
        path = _free_path(folder, f"{result.file.stem}-{_slug(prediction.label)}", taken)
        label = f"{prediction.label} ({_percent(prediction.probability)})"
        _write(path, label_image(_reduced(decode(result.file, 3)), label, None))


def _check_outputs(json: bool, csv_file: str | None, save: str | None) -> None:
    from imgclf.images.find import IMAGE_EXTENSIONS

    if json and csv_file:
        raise ImgclfError("--json and --csv can't be asked for together", hint="ask for one, then for the other")
    if csv_file and Path(csv_file).is_dir():
        raise ImgclfError(f"--csv {csv_file}: must be a file; it is a folder")
    if csv_file and Path(csv_file).suffix.lower() in IMAGE_EXTENSIONS:
        raise ImgclfError(
            f"--csv {csv_file}: the table would overwrite an image", hint="--csv FILE comes before images"
        )
    if save and Path(save).exists() and not Path(save).is_dir():
        raise ImgclfError(f"--save {save}: must be a folder; it is a file")


def _print(predictions: Predictions, json: bool, csv_file: str | None) -> None:
    if json:
        from imgclf.cli.results import print_json

        print_json([result.to_json() for result in predictions.results])
    elif csv_file == "-":
        print(table_text(predictions), end="")
    elif csv_file:
        _write(Path(csv_file), table_text(predictions))
        _say(f"the table is in {csv_file}")
    else:
        for result in predictions.results:
            if result.prediction is not None:
                print(prediction_text(result.file, result.prediction))


def _end(results: Sequence[FileResult]) -> None:
    """Name the files that could not be read, and end with status 1 if there are any."""
    failed = [result.error for result in results if result.error is not None]
    for error in failed:
        _say(f"error: {error}")
    if failed:
        _say(f"{len(failed)} of {len(results)} files could not be read")
        raise typer.Exit(1)


def _say(text: str) -> None:
    typer.echo(printable(text), err=True)


def _percent(probability: float) -> str:
    return f"{100 * probability:.1f} %"


def _cell(text: str) -> str:
    """Text that a spreadsheet shows and does not run."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _write(path: Path, content: bytes | str) -> None:
    from imgclf.runs.files import write_whole

    try:
        write_whole(path, content)
    except OSError as error:
        raise WorkFailed(f"{path}: can't be written: {error.strerror}") from error


def _identity(path: Path) -> str:
    """Equal for paths that may be one file; some file systems don't tell large letters from small ones."""
    return os.path.realpath(path).casefold()


def _free_path(folder: Path, name: str, taken: set[str]) -> Path:
    name = os.fsdecode(os.fsencode(name)[:SAVED_NAME_BYTES])
    for number in itertools.count(1):
        path = folder / (f"{name}.png" if number == 1 else f"{name}-{number}.png")
        if _identity(path) not in taken:
            taken.add(_identity(path))
            return path
    raise AssertionError("counting does not end")


def _slug(label: str) -> str:
    """A label as a part of a file's name: letters and digits of any script, the rest as hyphens."""
    return re.sub(r"[^\w.]+", "-", label).strip("-.")[:60] or "label"


def _reduced(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from imgclf.images.resize import resize

    height, width = image.shape[:2]
    scale = min(1.0, SAVED_SIDE / max(height, width))
    return resize(image, max(1, round(height * scale)), max(1, round(width * scale)))
