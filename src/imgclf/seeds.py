"""The job `train --seeds`: one experiment from several seeds, and how far its results scatter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from imgclf.children import DEFAULTS, Ended, Options, train_member
from imgclf.errors import ImgclfError
from imgclf.evaluation.spread import figures, spreads
from imgclf.experiment.load import load_experiment
from imgclf.places import runs_folder
from imgclf.runs.folder import RunFolder, read_json
from imgclf.runs.groups import Group, create_group, recorded
from imgclf.screen import Screen, Silent
from imgclf.transfer import settled_run

SEEDS_END = 2**32  # the experiment's seed is below it
COSTS = ("seconds", "training_seconds", "peak_memory_bytes")


@dataclass(frozen=True)
class SeedsResult:
    """The folder of the runs, and its summary (see SUMMARY_SCHEMA)."""

    group: Group
    summary: dict[str, Any]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The entries of the seeds that have not finished."""
        return [run for run in self.summary["runs"] if run["status"] != "finished"]


def train_seeds(
    config: str | Path,
    count: int,
    *,
    overrides: Sequence[str] = (),
    name: str | None = None,
    options: Options = DEFAULTS,
    runs_dir: str | Path | None = None,
    screen: Screen | None = None,
) -> SeedsResult:
    """Train the experiment of CONFIG ``count`` times, from its seed on, each in a process of its own.

    Runs and summary.json lie in one new folder; the summary is written anew after every run. A seed that fails is told
    there, and the others are trained all the same. Raises ImgclfError where the input is wrong, before any training.
    """
    screen, loaded = screen or Silent(), load_experiment(str(config), overrides)
    first = loaded.experiment.seed
    if first + count > SEEDS_END:
        raise ImgclfError(f"--seeds {count}: from the seed {first} on there are only {SEEDS_END - first}")
    overrides = [*overrides, *settled_run(str(config), overrides, runs_folder(runs_dir))]
    group = create_group(runs_folder(runs_dir), name or loaded.name, "seeds", datetime.now())
    screen.say(f"seeds   {first} to {first + count - 1}, in {group.path}")
    with recorded(group):
        group.update(
            name=loaded.name,
            config=str(loaded.path),
            overrides=list(overrides),
            digest=loaded.experiment.digest(),
            seeds=list(range(first, first + count)),
            **_summary(group, []),
        )
        runs: list[dict[str, Any]] = []
        for seed in range(first, first + count):
            ended = train_member(group, f"seed-{seed}", str(config), [*overrides, f"seed={seed}"], options, screen)
            runs.append(_entry(group.member(f"seed-{seed}"), seed, ended))
            group.update(**_summary(group, runs))
        if any(run["status"] != "finished" for run in runs):
            group.update(status="failed")
    return SeedsResult(group, group.record())


def _entry(run: RunFolder, seed: int, ended: Ended) -> dict[str, Any]:
    entry: dict[str, Any] = {"seed": seed, "folder": run.name}
    if ended.status == 0:
        return entry | {"status": "finished", "accuracy": read_json(run.report)["accuracy"]}
    status = run.record()["status"] if run.record_file.is_file() else "failed"
    return entry | {"status": "failed" if status == "running" else status, "error": ended.reason()}


def _summary(group: Group, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """What summary.json says of the runs so far."""
    finished = [group.member(run["folder"]) for run in runs if run["status"] == "finished"]
    reports = [read_json(run.report) for run in finished]
    costs = [{name: run.record()[name] for name in COSTS} for run in finished]
    targets = list(reports[0].get("targets", ())) if reports else []
    return {
        "finished": len(finished),
        "failed": len(runs) - len(finished),
        "num_images": reports[0]["num_images"] if reports else None,
        "runs": runs,
        "metrics": spreads([figures(report) for report in reports]),
        "targets": {name: spreads([figures(report["targets"][name]) for report in reports]) for name in targets},
        "costs": spreads(costs, endless=COSTS),
    }
