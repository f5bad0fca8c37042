"""`imgclf predict`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgclf.cli.options import DataDir, Debug, DeviceOption, Json, RunsDir
from imgclf.errors import ImgclfError, printable

if TYPE_CHECKING:
    from imgclf.predict import Answer, FileResult, Prediction, Predictions


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
        from imgclf.loading import say_undrawable
        from imgclf.prediction_files import save_pictures

        made = _made(Path(save))
        say_undrawable(predictions.targets, _say)
        save_pictures(predictions.results, Path(save))
        _say(f"labelled images are in {save}{made}")
    _end(predictions.results)


def prediction_text(file: Path, prediction: Prediction) -> str:
    """A prediction for people: the most likely class, the next ones, and on a line below what was done to the image.

    Of several targets each has a line of its own.
    """
    answers = {name: _answer_text(answer) for name, answer in prediction.targets.items()}
    if len(answers) == 1:
        lines = [f"{file}: {text}" for text in answers.values()]
    else:
        lines = [f"{file}:", *(f"  {name}: {text}" for name, text in answers.items())]
    if prediction.steps:
        lines.append("  " + "; ".join(prediction.steps))
    return "\n".join(printable(line) for line in lines)


def _answer_text(answer: Answer) -> str:
    from imgclf.prediction_files import percent

    text = f"{answer.label} ({percent(answer.probability)})"
    others = [f"{label} {percent(probability)}" for label, probability in answer.top[1:]]
    return "; ".join([text, ", ".join(others)] if others else [text])


def _check_outputs(json: bool, csv_file: str | None, save: str | None) -> None:
    from imgclf.images.walk import IMAGE_EXTENSIONS

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
    from imgclf.prediction_files import table_text
    from imgclf.runs.files import write_whole

    if json:
        from imgclf.cli.results import print_json

        print_json([result.to_json() for result in predictions.results])
    elif csv_file == "-":
        print(table_text(predictions), end="")
    elif csv_file:
        made = _made(Path(csv_file).parent)
        write_whole(Path(csv_file), table_text(predictions))
        _say(f"the table is in {csv_file}{made}")
    else:
        for result in predictions.results:
            if result.prediction is not None:
                print(prediction_text(result.file, result.prediction))


def _made(folder: Path) -> str:
    """What is said of a folder that is not there yet, and will be."""
    return "" if folder.is_dir() else f"; the folder {folder} is new"


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
