"""`imgclf train`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from imgclf.cli.options import DataDir, Debug, DeviceOption, Json, RunsDir, Set

if TYPE_CHECKING:
    from imgclf.train import TrainingResult


def train(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="An experiment file, or the name of a shipped config.")
    ],
    set_: Set = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the run (default: the config's).", show_default=False)
    ] = None,
    device: DeviceOption = None,
    data_dir: DataDir = None,
    runs_dir: RunsDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Train the experiment of a config; evaluate it on the test split; write a run folder."""
    from imgclf.experiment.load import load_experiment

    load_experiment(config, set_ or ())  # mistakes are told before TensorFlow takes its seconds

    from imgclf.cli.results import print_json, print_training
    from imgclf.cli.screen import Terminal
    from imgclf.train import train as run_training

    with Terminal().working(debug) as screen:
        result: TrainingResult = run_training(
            config,
            overrides=set_ or (),
            name=name,
            device=device.value if device else None,
            data_dir=data_dir,
            runs_dir=runs_dir,
            screen=screen,
        )
    if json:
        print_json(result.report)
    else:
        print_training(result)
