"""The command line: parses, calls the jobs, prints; decides nothing."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from types import FrameType
from typing import NoReturn

import typer

from imgclf.cli import config, data, doctor, evaluate, export, models, predict, runs, train, verify_resume
from imgclf.errors import ImgclfError, WorkFailed
from imgclf.interruption import Interrupted

OF_A_PATH = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP)  # what is wrong with a path that was given
READER_LEFT = 128 + 13  # SIGPIPE, by the shells' rule

app = typer.Typer(
    name="imgclf",
    help="Image classification from one YAML file: train, evaluate, predict.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("export")(export.export)
app.command("doctor")(doctor.doctor)
app.command("verify-resume")(verify_resume.verify_resume)
app.add_typer(data.app, name="data")
app.add_typer(models.app, name="models")
app.add_typer(config.app, name="config")
app.add_typer(runs.app, name="runs")


def main() -> None:
    """Run the command line and exit: 0 done, 1 the work failed, 2 the input is wrong, 130 or 143 interrupted.

    Where whoever reads the output has left (``| head -1``), it ends as a program does that SIGPIPE ends: 141, no word.
    """
    try:
        try:
            _run()
        finally:
            print(end="", flush=True)
    except BrokenPipeError:
        _leave_quietly()
    except SystemExit as end:
        if not isinstance(end.__context__, BrokenPipeError):  # the command-line library answers it by status 1
            raise
        _leave_quietly()


def _run() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    debug = "--debug" in sys.argv
    try:
        app()
    except ImgclfError as error:
        if debug:
            traceback.print_exc()
        print("\n".join(error.lines()), file=sys.stderr)
        sys.exit(error.exit_status)
    except Interrupted as error:
        if not error.is_told:
            print("interrupted", file=sys.stderr)
        sys.exit(error.exit_status)
    except Exception as error:
        if debug:
            traceback.print_exc()
        if isinstance(error, OSError) and error.filename is not None and error.errno in OF_A_PATH:
            print(ImgclfError(f"{error.filename}: {error.strerror}").lines()[0], file=sys.stderr)
            sys.exit(ImgclfError.exit_status)
        if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
            hint = "a smaller model, training.batch_size or preprocessing.size needs less (`imgclf models show`)"
            full = WorkFailed("the memory of this device does not suffice", hint=hint)
            print("\n".join(full.lines()), file=sys.stderr)
            sys.exit(full.exit_status)
        print(ImgclfError(f"{type(error).__name__}: {' '.join(str(error).split())}").lines()[0], file=sys.stderr)
        shows = "the lines above show" if debug else "--debug shows"
        print(f"hint: this is a fault of imgclf; {shows} where it happened", file=sys.stderr)
        sys.exit(1)


def _leave_quietly() -> NoReturn:
    """Exit without Python's own complaint of what it could not write."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    sys.exit(READER_LEFT)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(number)
