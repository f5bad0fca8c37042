"""`imgclf evaluate`."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from imgclf.cli.options import DataDir, Debug, DeviceOption, Json, RunsDir


class Split(str, Enum):
    """What --split takes."""

    test = "test"
    validation = "validation"
    train = "train"


def evaluate(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="A run's folder or name (default: latest, the newest finished one)."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--weights", metavar="FILE", help="Weights of a run, or with --config any.")
    ] = None,
    config: Annotated[
        str | None, typer.Option("--config", help="The experiment of weights that lie in no run.")
    ] = None,
    split: Annotated[Split, typer.Option("--split", help="Which images.")] = Split.test,
    samples: Annotated[
        int, typer.Option("--samples", min=0, metavar="N", help="Save N images enlarged, labelled.")
    ] = 0,
    calibrate: Annotated[
        bool,
        typer.Option("--calibrate", help="First fit a temperature on the validation split, and keep it in the run."),
    ] = False,
    device: DeviceOption = None,
    data_dir: DataDir = None,
    runs_dir: RunsDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Evaluate a trained model on a split of its data; write report and pictures into its run folder."""
    from imgclf.evaluate import find_evaluated

    # Mistakes are told before TensorFlow takes its seconds.
    find_evaluated(run, weights, config, samples, calibrate, runs_dir)

    from imgclf.cli.results import print_json, print_report
    from imgclf.cli.screen import Terminal
    from imgclf.evaluate import evaluate as run_evaluation

    with Terminal().working(debug) as screen:
        report = run_evaluation(
            run,
            weights=weights,
            config=config,
            split=split.value,
            samples=samples,
            calibrate=calibrate,
            device=device.value if device else None,
            data_dir=data_dir,
            runs_dir=runs_dir,
            screen=screen,
        )
    if json:
        print_json(report)
    else:
        print_report(report)
