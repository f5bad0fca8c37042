"""`imgclf verify-resume`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from imgclf.cli.options import DataDir, Debug, DeviceOption, RunsDir, Set
from imgclf.errors import WorkFailed

if TYPE_CHECKING:
    from imgclf.verify_resume import Verdict


def verify_resume(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="An experiment file, or the name of a shipped config.")
    ],
    kills: Annotated[int, typer.Option("--kills", min=1, metavar="N", help="How often the run is killed.")] = 3,
    set_: Set = None,
    device: DeviceOption = None,
    data_dir: DataDir = None,
    runs_dir: RunsDir = None,
    debug: Debug = False,
) -> None:
    """Train twice, once in peace and once killed N times and resumed; tell whether both end with the same bits."""
    from imgclf.experiment.load import load_experiment

    load_experiment(config, set_ or ())  # mistakes are told before TensorFlow takes its seconds

    from imgclf.cli.screen import Terminal
    from imgclf.verify_resume import verify_resume as run_verification

    with Terminal().working(debug, tensorflow=False) as screen:
        verdict = run_verification(
            config,
            kills,
            overrides=set_ or (),
            device=device.value if device else None,
            data_dir=data_dir,
            runs_dir=runs_dir,
            screen=screen,
        )
    _print_verdict(verdict)
    if not verdict.same:
        raise WorkFailed(f"{verdict.folder}: the run that was killed ended otherwise than the one left in peace")


def _print_verdict(verdict: Verdict) -> None:
    from imgclf.cli.tables import print_table, print_text

    rows = [[one.what, one.size, "the same" if one.difference is None else one.difference] for one in verdict.compared]
    print_table(["compared", "size", "result"], rows)
    same = "the same, bit for bit" if verdict.same else "NOT the same"
    print_text(f"killed {verdict.kills} times in {verdict.steps:,} steps and resumed: {same}")
