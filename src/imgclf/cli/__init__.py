"""The command line: parses, calls the jobs, prints; decides nothing."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import typer

from imgclf.cli import config, data, doctor, evaluate, export, models, predict, runs, train, verify_resume
from imgclf.errors import ImgclfError
from imgclf.interruption import Interrupted

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
    """Run the command line and exit: 0 done, 1 the work failed, 2 the input is wrong, 130 or 143 interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    debug = "--debug" in sys.argv
    try:
        app()
    except ImgclfError as error:
        if debug:
            raise
        print("\n".join(error.lines()), file=sys.stderr)
        sys.exit(error.exit_status)
    except Interrupted as error:
        if not error.is_told:
            print("interrupted", file=sys.stderr)
        sys.exit(error.exit_status)
    except Exception as error:
        if debug:
            raise
        print(ImgclfError(f"{type(error).__name__}: {' '.join(str(error).split())}").lines()[0], file=sys.stderr)
        print("hint: this is a fault of imgclf; --debug shows where it happened", file=sys.stderr)
        sys.exit(1)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(number)
