"""The command line: parses, calls the jobs, prints; decides nothing."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import typer

from imgclf.cli import config, evaluate, models, predict, runs, train
from imgclf.errors import ImgclfError

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
app.add_typer(models.app, name="models")
app.add_typer(config.app, name="config")
app.add_typer(runs.app, name="runs")


class Terminated(KeyboardInterrupt):
    """SIGTERM: ends the work as Ctrl-C does."""


def main() -> None:
    """Run the command line and exit: 0 done, 1 the work failed, 2 the input is wrong, 130 or 143 interrupted."""
    signal.signal(signal.SIGTERM, _terminate)
    debug = "--debug" in sys.argv
    try:
        app()
    except ImgclfError as error:
        if debug:
            raise
        print("\n".join(error.lines()), file=sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt as error:
        print("interrupted", file=sys.stderr)
        sys.exit(143 if isinstance(error, Terminated) else 130)
    except BrokenPipeError:
        _forget_output()
        sys.exit(141)
    except Exception as error:
        if debug:
            raise
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        print("hint: this is a fault of imgclf; --debug shows where it happened", file=sys.stderr)
        sys.exit(1)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def _forget_output() -> None:
    """Whoever read the output has gone; what is still held back must not raise a second time at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
