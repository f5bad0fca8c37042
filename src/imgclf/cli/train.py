"""`imgclf train`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from imgclf.cli.options import DataDir, Debug, DeviceOption, Json, RunsDir, Set
from imgclf.errors import ImgclfError, WorkFailed

if TYPE_CHECKING:
    from imgclf.children import Options
    from imgclf.train import TrainingResult


def train(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG",
            help="An experiment file, or the name of a shipped config; with --resume it may be left out.",
            show_default=False,
        ),
    ] = None,
    set_: Set = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the run (default: the config's).", show_default=False)
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="RUN",
            help="Go on with a run (folder, name, or latest: the newest unfinished one) from its last checkpoint.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            min=1,
            metavar="N",
            help="Train N times, from the experiment's seed on, and summarise.",
            show_default=False,
        ),
    ] = None,
    device: DeviceOption = None,
    data_dir: DataDir = None,
    runs_dir: RunsDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Train the experiment of a config; evaluate it on the test split; write a run folder, or one of several seeds."""
    from imgclf.children import Options
    from imgclf.experiment.load import load_experiment

    if config is not None:
        load_experiment(config, set_ or ())  # mistakes are told before TensorFlow takes its seconds
    elif resume is None:
        raise ImgclfError(
            "imgclf train: needs CONFIG, or --resume RUN", hint="imgclf config list shows the shipped ones"
        )
    if seeds is not None:
        if config is None or resume is not None:
            raise ImgclfError("--seeds: goes with CONFIG and without --resume")
        options = Options(device.value if device else None, data_dir, debug)
        _train_seeds(config, seeds, set_ or (), name, options, runs_dir, json)
        return

    from imgclf.cli.results import print_json, print_training
    from imgclf.cli.screen import Terminal
    from imgclf.train import train as run_training

    with Terminal().working(debug) as screen:
        result: TrainingResult = run_training(
            config,
            overrides=set_ or (),
            name=name,
            resume=resume,
            device=device.value if device else None,
            data_dir=data_dir,
            runs_dir=runs_dir,
            screen=screen,
        )
    if json:
        print_json(result.report)
    else:
        print_training(result, data_dir)


def _train_seeds(
    config: str,
    count: int,
    overrides: Sequence[str],
    name: str | None,
    options: Options,
    runs_dir: str | None,
    json: bool,
) -> None:
    """Train the seeds and print their summary; the status is 1 where one has failed."""
    from imgclf.cli.groups import print_seeds
    from imgclf.cli.results import print_json
    from imgclf.cli.screen import Terminal
    from imgclf.seeds import train_seeds

    with Terminal().working(options.debug, tensorflow=False) as screen:
        result = train_seeds(
            config, count, overrides=overrides, name=name, options=options, runs_dir=runs_dir, screen=screen
        )
    if json:
        print_json(result.summary)
    else:
        print_seeds(result.group, result.summary)
    if result.failed:
        raise WorkFailed(f"{result.group.path}: failed: {', '.join(run['folder'] for run in result.failed)}")
