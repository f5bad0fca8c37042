"""Runs that belong together, as tables: the seeds of an experiment, and models on one data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from imgclf.cli.run_story import duration
from imgclf.cli.tables import print_table, print_text

if TYPE_CHECKING:
    from imgclf.runs.groups import Group

FIGURES = ("mean", "std. dev.", "minimum", "maximum", "95 % interval of the mean")


def print_group(group: Group) -> None:
    """The table of a group's record, whichever kind it is."""
    if group.kind == "seeds":
        print_seeds(group, group.record())
    else:
        print_models(group, group.record())


def print_seeds(group: Group, summary: Mapping[str, Any]) -> None:
    """A row a metric, then times and memory, and which seeds stand behind them."""
    rows = list(_seed_rows(summary))
    if rows:
        print_table(["test split", *FIGURES], rows, right=FIGURES)
        print()
        if _is_cut(summary):
            print_text("intervals: Student's t, cut at 0 and 1, between which the mean must lie")
    finished = f"{summary['finished']} of {len(summary['seeds'])} seeds finished{_so_far(group)}"
    print_text(f"{finished}; summary.json and the runs are in {group.path}")
    for run in summary["runs"]:
        if run["status"] != "finished":
            print_text(f"{run['folder']}: {run['status']}: {run['error']}", "  ")


def _so_far(group: Group) -> str:
    """What to add to counts of a group that has come to no end."""
    return {"running": " so far", "died": " before the process that trains them died"}.get(group.status(), "")


def _is_cut(summary: Mapping[str, Any]) -> bool:
    """Whether an interval ends where a mean can't go on."""
    spreads = [
        *summary["metrics"].values(),
        *(one for metrics in summary["targets"].values() for one in metrics.values()),
    ]
    wide = [one["interval"] for one in spreads if one["standard_deviation"]]
    return any(low == 0 or high == 1 for low, high in wide)


def _seed_rows(summary: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, one in summary["metrics"].items():
        yield _spread_row(_metric_name(name), one, 1, 4)
    for target, metrics in summary["targets"].items():
        for name, one in metrics.items():
            yield _spread_row(f"{target}: {_metric_name(name)}", one, 1, 4)
    costs = summary["costs"]
    if costs:
        yield _spread_row("seconds", costs["seconds"], 1, 1)
        yield _spread_row("seconds of training", costs["training_seconds"], 1, 1)
        yield _spread_row("peak memory, MB", costs["peak_memory_bytes"], 1e6, 0)


def _spread_row(name: str, one: Mapping[str, Any], unit: float, places: int) -> list[str]:
    def text(value: float | None) -> str:
        return "-" if value is None else f"{value / unit:.{places}f}"

    interval = "-" if one["interval"] is None else " to ".join(text(bound) for bound in one["interval"])
    return [
        name,
        text(one["mean"]),
        text(one["standard_deviation"]),
        text(one["minimum"]),
        text(one["maximum"]),
        interval,
    ]


def print_models(group: Group, record: Mapping[str, Any]) -> None:
    """A row a model; of several targets, a row for each below it; then how the columns are meant."""
    costs = ["training", "one image", "batch", "parameters", "weights", "memory", "multiply-adds"]
    head = ["model", "accuracy", "95 % interval", "p", *costs]
    rows = [row for model in record["models"] for row in _model_rows(model, record["best"])]
    if rows:
        print_table(head, rows, right=["accuracy", "p", *costs])
        print()
    if record["best"] is not None:
        print_text(
            f"p: exact McNemar test on the test images against {record['best']}, the most accurate; of each pair by "
            "itself, not corrected for the number of models"
        )
    if _so_far(group):
        print_text(f"{len(record['models'])} models{_so_far(group)}")
    if record["not_paired"] is not None:
        print_text(f"no paired test: {record['not_paired']}")
    for model in record["models"]:
        if model["status"] != "finished":
            print_text(f"{model['label']}: {model['status']}: {model['error']}")
    latencies = f"latencies: medians on {record['device']}; " if record["device"] else ""
    picture = "compare.png, " if (group.path / "compare.png").is_file() else ""
    print_text(f"{latencies}{picture}{group.record_file.name} and the runs are in {group.path}")


def _model_rows(model: Mapping[str, Any], best: str | None) -> Iterator[list[str]]:
    if model["status"] != "finished":
        yield [model["label"], model["status"], *["-"] * 9]
        return
    paired = model["against_best"] or {}
    several = len(model["targets"]) > 1
    whole = None if several else next(iter(paired.values()), None)
    yield [
        model["label"],
        f"{model['accuracy']:.4f}",
        _interval(model["accuracy_interval"]),
        "best" if model["label"] == best else _p_value(whole),
        duration(model["training_seconds"]),
        f"{model['latency_seconds'] * 1e3:.2f} ms",
        f"{model['batch_size']}: {model['batch_latency_seconds'] * 1e3:.1f} ms",
        f"{model['parameters']:,}",
        f"{model['weights_bytes'] / 1e6:.2f} MB",
        f"{model['peak_memory_bytes'] / 1e6:,.0f} MB",
        f"{model['multiply_adds']:,}",
    ]
    for name, target in model["targets"].items() if several else ():
        figures = [f"{target['accuracy']:.4f}", _interval(target["accuracy_interval"]), _p_value(paired.get(name))]
        yield [f"  {name}", *figures, *[""] * 7]


def _interval(bounds: list[float] | None) -> str:
    return "-" if bounds is None else f"{bounds[0]:.4f} to {bounds[1]:.4f}"


def _p_value(paired: Mapping[str, Any] | None) -> str:
    return "-" if paired is None else f"{paired['p_value']:.3g}"


def _metric_name(name: str) -> str:
    """A figure's name as people say it: "top-3 accuracy", "macro average f1"."""
    if name.startswith("top_k."):
        return f"top-{name.removeprefix('top_k.')} accuracy"
    return name.replace("_", " ").replace(".", " ")
