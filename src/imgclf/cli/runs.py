"""`imgclf runs`."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgclf.cli.options import Json, RunsDir

if TYPE_CHECKING:
    from imgclf.compare import Comparison, Side
    from imgclf.runs.folder import RunFolder
    from imgclf.runs.groups import Group

app = typer.Typer(help="The runs that there are, and what came of them.", no_args_is_help=True)
RUN_HELP = "A run's folder or name, or latest: the newest finished one."


@app.command("list")
def list_runs(runs_dir: RunsDir = None, json: Json = False) -> None:
    """Every run with config, status, test accuracy, start and duration; the newest last.

    The runs of `train --seeds` and `models compare` are one row, with their mean accuracy or the best one's; `runs
    show` lists them.
    """
    from imgclf.cli.results import print_json
    from imgclf.cli.tables import print_table, print_text
    from imgclf.places import runs_folder
    from imgclf.runs.find import list_runs as find_runs
    from imgclf.runs.find import seconds_since_1970
    from imgclf.runs.groups import list_groups

    folder = runs_folder(runs_dir)
    found = [_summary(run) for run in find_runs(folder)] + [_group_summary(group) for group in list_groups(folder)]
    found.sort(key=lambda run: seconds_since_1970(run["started"]))
    if json:
        print_json(found)
    elif not found:
        print_text(f"no runs in {folder.absolute()}; --runs-dir or IMGCLF_RUNS_DIR names another folder")
    else:
        head = ["run", "config", "status", "accuracy", "start", "duration"]
        print_table(head, [_row(run) for run in found], right=["accuracy", "duration"])


@app.command("show")
def show_run(
    run: Annotated[str, typer.Argument(metavar="[RUN]", help=RUN_HELP)] = "latest",
    runs_dir: RunsDir = None,
    json: Json = False,
) -> None:
    """What a run is: data, model, accuracy, times, versions, diagnosis, files; --json prints its run.json.

    Of `train --seeds` the summary, of `models compare` the comparison.
    """
    from imgclf.cli.groups import print_group
    from imgclf.cli.results import print_json
    from imgclf.cli.run_story import run_story
    from imgclf.cli.tables import print_labelled
    from imgclf.places import runs_folder
    from imgclf.runs.find import find_run
    from imgclf.runs.groups import find_group

    if group := find_group(run, runs_folder(runs_dir)):
        if json:
            print_json(group.record())
        else:
            print_group(group)
        return
    found = find_run(run, runs_folder(runs_dir))
    if json:
        print_json(found.record())
    else:
        print_labelled(run_story(found))


@app.command("compare")
def compare_runs(
    first: Annotated[str, typer.Argument(metavar="RUN", help=RUN_HELP)],
    second: Annotated[str, typer.Argument(metavar="RUN", help="The other one.")],
    plot: Annotated[
        str | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Where the picture goes [default: compare-RUN-RUN.png in the runs folder].",
            show_default=False,
        ),
    ] = None,
    runs_dir: RunsDir = None,
) -> None:
    """Two runs: the settings in which they differ, their accuracies, a paired test, their curves in one picture."""
    from imgclf.compare import compare

    _print_comparison(compare(first, second, picture=plot, runs_dir=runs_dir))


def _summary(run: RunFolder) -> dict[str, Any]:
    from imgclf.runs.process import status_of

    record = run.record()
    kept = {key: record.get(key) for key in ("accuracy", "started", "seconds")}
    named = {"name": run.name, "path": str(run.path), "config": record.get("name")}
    return {**named, "status": status_of(record), **kept}


def _group_summary(group: Group) -> dict[str, Any]:
    """A group as a row of the list: what its record says, and how long it took from start to end."""
    record = group.record()
    accuracy = {"seeds": _mean_accuracy, "models": _best_accuracy}[group.kind](record)
    times = {"started": record.get("started"), "seconds": _seconds(record)}
    own = {"name": group.name, "path": str(group.path), "config": record.get("name"), "status": group.status()}
    return {**own, "accuracy": accuracy, **times, "runs": [run.name for run in group.members()]}


def _seconds(record: dict[str, Any]) -> float | None:
    """How long a group took from start to end; None before it has ended, and where the clock was set back meanwhile."""
    from imgclf.runs.find import seconds_since_1970

    if not record.get("ended"):
        return None
    seconds = seconds_since_1970(record["ended"]) - seconds_since_1970(record.get("started"))
    return seconds if seconds >= 0 else None


def _mean_accuracy(record: dict[str, Any]) -> float | None:
    accuracy: float | None = record.get("metrics", {}).get("accuracy", {}).get("mean")
    return accuracy


def _best_accuracy(record: dict[str, Any]) -> float | None:
    return max((one["accuracy"] for one in record.get("models", ()) if "accuracy" in one), default=None)


def _row(run: dict[str, Any]) -> list[str]:
    from imgclf.cli.run_story import duration, moment

    accuracy = run["accuracy"]
    return [
        run["name"],
        str(run["config"] or "-"),
        str(run["status"] or "-"),
        f"{accuracy:.4f}" if isinstance(accuracy, float) else "-",
        moment(run["started"]),
        duration(run["seconds"]),
    ]


def _print_comparison(found: Comparison) -> None:
    from imgclf.cli.tables import print_table, print_text

    names = [side.name for side in found.sides]
    if found.differences:
        print_table(
            ["setting", *names],
            [[one.key, _value_text(one.first), _value_text(one.second)] for one in found.differences],
        )
    else:
        print("the settings are the same")
    print()
    print_table(["run", "accuracy", "95 % interval", "loss"], [row for side in found.sides for row in _results(side)])
    print()
    for target, paired in found.paired.items():
        of_target = f" of {target}" if len(found.paired) > 1 else ""
        print_text(
            f"paired test{of_target} (exact McNemar): right only in {names[0]}: {paired.only_first} images; only in "
            f"{names[1]}: {paired.only_second} images; p = {paired.p_value:.3g}"
        )
    if found.not_paired is not None:
        print_text(f"no paired test: {found.not_paired}")
    print_text(f"curves are in {found.picture}")


def _results(side: Side) -> Iterator[list[str]]:
    """A row of the table, and below it one for each of several targets."""
    from imgclf.cli.results import reports_by_target

    if side.report is None:
        yield [side.name, "-", "-", "-"]
        return
    yield _result(side.name, side.report)
    yield from (_result(f"  {target}", report) for target, report in reports_by_target(side.report).items())


def _result(name: str, report: dict[str, Any]) -> list[str]:
    low_and_high = report.get("accuracy_interval")  # a mean over several targets has none
    interval = "{:.4f} to {:.4f}".format(*low_and_high) if low_and_high else "-"
    return [name, f"{report['accuracy']:.4f}", interval, f"{report['loss']:.4f}"]


def _value_text(value: Any) -> str:
    from imgclf.experiment.differences import ABSENT

    return "-" if value is ABSENT else json_text.dumps(value, ensure_ascii=False)
