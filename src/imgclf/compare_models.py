"""The job `models compare`: several models on the same data with the same budget, side by side."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from imgclf.children import DEFAULTS, Ended, Options, run_imgclf, train_member
from imgclf.compare import paired_tests
from imgclf.errors import ImgclfError
from imgclf.experiment.agreement import shape_problems
from imgclf.experiment.load import LoadedExperiment, load_experiment
from imgclf.experiment.problems import ExperimentError, Problem
from imgclf.experiment.schema import Experiment
from imgclf.experiment.yaml_text import parse_value
from imgclf.loading import load_splits
from imgclf.places import runs_folder
from imgclf.runs.files import write_whole
from imgclf.runs.folder import RunFolder, read_json
from imgclf.runs.groups import Group, create_group, recorded
from imgclf.screen import Screen, Silent
from imgclf.transfer import settled_run

PICTURE = "compare.png"
TIMED = (
    "latency_seconds", "latency_repeats", "batch_size", "batch_latency_seconds", "batch_latency_repeats",
    "parameters", "weights_bytes", "multiply_adds",
)  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A model to be compared: how it is called, its run's folder, and what makes it of the config."""

    label: str
    folder: str
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class ModelsResult:
    """The folder of the runs, and the comparison (see COMPARISON_SCHEMA)."""

    group: Group
    record: dict[str, Any]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The entries of the models that have not finished."""
        return [model for model in self.record["models"] if model["status"] != "finished"]


def compare_models(
    config: str | Path,
    models: Sequence[str],
    *,
    epochs: int | None = None,
    overrides: Sequence[str] = (),
    name: str | None = None,
    options: Options = DEFAULTS,
    runs_dir: str | Path | None = None,
    screen: Screen | None = None,
) -> ModelsResult:
    """Train several models in the place of CONFIG's own, each in a process of its own, and compare them.

    ``models`` are texts as a YAML list holds them, ``lenet`` or ``{name: lenet, filters: [4, 8]}``, one or several in
    each. Runs, compare.json and a picture lie in one new folder. A model that fails is told there, and the others are
    trained all the same. Raises ImgclfError where the input is wrong, before any training.
    """
    screen = screen or Silent()
    candidates = [
        replace(one, overrides=(*one.overrides, *settled_run(str(config), one.overrides, runs_folder(runs_dir))))
        for one in find_candidates(config, models, epochs, overrides)
    ]
    loaded = [load_experiment(str(config), one.overrides) for one in candidates]
    _check_shapes(candidates, loaded, options, screen)
    group = create_group(runs_folder(runs_dir), name or loaded[0].name, "models", datetime.now())
    screen.say(f"models  {', '.join(one.label for one in candidates)}, in {group.path}")
    if idle := [one.label for one, its in zip(candidates, loaded, strict=True) if stays_random(its.experiment)]:
        screen.say(
            f"        {', '.join(idle)}: begin{'s' if len(idle) == 1 else ''} with random numbers, and only the "
            "head trains (training.trainable: head): what it reaches is no measure of the model"
        )
    with recorded(group):
        own = {"name": loaded[0].name, "config": str(loaded[0].path), "overrides": list(overrides), "epochs": epochs}
        group.update(**own, seed=loaded[0].experiment.seed, **_comparison(group, [], None))
        entries: list[dict[str, Any]] = []
        device = None
        for one in candidates:
            ended = train_member(group, one.folder, str(config), one.overrides, options, screen, are_alike=False)
            timed = _time(group.member(one.folder), options, screen) if ended.status == 0 else {}
            device = timed.get("device", device)
            entries.append(_entry(group, one, ended, timed))
            group.update(**_comparison(group, entries, device))
        _draw(group, entries)
        if any(entry["status"] != "finished" for entry in entries):
            group.update(status="failed")
    return ModelsResult(group, group.record())


def find_candidates(
    config: str | Path, models: Sequence[str], epochs: int | None, overrides: Sequence[str]
) -> list[Candidate]:
    """The models that the texts name, each valid in the place of the config's own.

    Raises ExperimentError with every mistake, and ImgclfError where there are not two, or one stands there twice.
    """
    if own := [text for text in overrides if text.startswith(("model=", "model."))]:
        raise ImgclfError(
            f"--set {own[0]}: every model is taken from --models, none from the config",
            hint="settings of one model: --models '{name: lenet, filters: [4, 8]}'",
        )
    values = [value for text in models for value in parse_value(f"[{text}]", f"--models {text}", "")]
    labels = [_label(value) for value in values]
    if len(labels) < 2:
        raise ImgclfError(
            f"--models: two models or more are compared; got {', '.join(labels) or 'none'}",
            hint="for example --models lenet,mlp; `imgclf models list` shows all",
        )
    if twice := [label for label, count in Counter(labels).items() if count > 1]:
        raise ImgclfError(f"--models: each model is given once; got {twice[0]} {labels.count(twice[0])} times")
    sets = [(*overrides, f"model={json.dumps(value)}") for value in values]
    _check_settings(str(config), dict(zip(labels, sets, strict=True)))
    budget = _budget(str(config), epochs, sets[0])
    sets = [(*one, *budget) for one in sets]
    folders = _folders([value["name"] if isinstance(value, dict) else value for value in values])
    return [Candidate(*one) for one in zip(labels, folders, sets, strict=True)]


def stays_random(experiment: Experiment) -> bool:
    """Whether the body keeps the random numbers that it begins with."""
    return not experiment.model.starts_trained() and all(stage.trainable == "head" for stage in experiment.stages())


def _label(value: Any) -> str:
    """The model's name, and the settings that it was given, as YAML."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        found = json.dumps(value, ensure_ascii=False)
        raise ImgclfError(
            f"--models: must be names of models or mappings with a key name; got {found}",
            hint="for example --models 'lenet, {name: lenet, filters: [4, 8]}'",
        )
    own = [f"{key}: {json.dumps(one, ensure_ascii=False)}" for key, one in value.items() if key != "name"]
    return f"{value['name']} {{{', '.join(own)}}}" if own else str(value["name"])


def _budget(config: str, epochs: int | None, overrides: Sequence[str]) -> tuple[str, ...]:
    """What makes the config's training last so many epochs. Raises ImgclfError where it has stages of their own."""
    if epochs is None:
        return ()
    if load_experiment(config, overrides).experiment.training.stages:
        raise ImgclfError(
            f"--epochs {epochs}: {config} has stages, each with a length of its own",
            hint=f"--set training.stages[0].epochs={epochs} sets the first",
        )
    return "training.steps=null", f"training.epochs={epochs}"


def _check_settings(config: str, sets: dict[str, tuple[str, ...]]) -> None:
    """Raise every mistake that a model makes of the config, with the model's name for its place."""
    problems: list[Problem] = []
    for label, overrides in sets.items():
        try:
            load_experiment(config, overrides)
        except ExperimentError as error:
            problems += [_placed(problem, label) for problem in error.problems]
    if problems:
        raise ExperimentError(dict.fromkeys(problems))


def _placed(problem: Problem, label: str) -> Problem:
    is_model = problem.where.startswith("--set model=")
    return Problem(f"--models {label}", problem.key, problem.message) if is_model else problem


def _folders(names: Sequence[str]) -> Iterator[str]:
    """The names, with a number where one stands there again."""
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}-{seen[name]}"


def _check_shapes(
    candidates: Sequence[Candidate], loaded: Sequence[LoadedExperiment], options: Options, screen: Screen
) -> None:
    """Read the data where only it tells the shape of its images, and raise what does not fit them."""
    experiment = loaded[0].experiment
    if experiment.dataset.known_shape() is not None:
        return  # the experiments were checked against it when they were loaded
    shape = load_splits(experiment, options.data_dir, screen).train.pixels.image_shape
    problems = [
        Problem(f"--models {one.label}", ".".join(map(str, misfit.path)), misfit.message)
        for one, its in zip(candidates, loaded, strict=True)
        for misfit in shape_problems(its.experiment, shape)
    ]
    if problems:
        raise ExperimentError(problems)


def _time(run: RunFolder, options: Options, screen: Screen) -> dict[str, Any]:
    """What `models time` measures of the run, in a process that has done nothing else; empty where it fails."""
    command = ["models", "time", str(run.path), "--json", *options.arguments(with_data=False)]
    ended = run_imgclf(command, lambda _: None)
    for line in ended.errors:
        screen.say(f"{run.name}: {line}")
    return dict(json.loads(ended.output)) if ended.status == 0 else {"error": ended.reason()}


def _entry(group: Group, candidate: Candidate, ended: Ended, timed: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"label": candidate.label, "folder": candidate.folder}
    if ended.status or "error" in timed:
        return entry | {"status": "failed", "error": timed.get("error", ended.reason())}
    run = group.member(candidate.folder)
    report, record = read_json(run.report), run.record()
    return {
        **entry,
        "status": "finished",
        **{name: report.get(name) for name in ("accuracy", "accuracy_interval", "loss")},
        "targets": {name: _accuracy(one) for name, one in report.get("targets", {}).items()},
        **{name: record[name] for name in ("seconds", "training_seconds", "peak_memory_bytes")},
        **{name: timed[name] for name in TIMED},
    }


def _accuracy(report: dict[str, Any]) -> dict[str, Any]:
    return {name: report[name] for name in ("accuracy", "accuracy_interval")}


def _comparison(group: Group, entries: list[dict[str, Any]], device: str | None) -> dict[str, Any]:
    """What compare.json says of the models so far, each tested against the best of them."""
    finished = [entry for entry in entries if entry["status"] == "finished"]
    best = max(finished, key=lambda entry: entry["accuracy"], default=None)
    reasons = []
    for entry in finished:
        paired, reason = ({}, None) if entry is best else _against(group, best, entry)
        entry["against_best"] = paired or None
        reasons += [reason] if reason else []
    return {
        "device": device,
        "best": best["label"] if best else None,
        "not_paired": reasons[0] if reasons else None,
        "models": entries,
    }


def _against(
    group: Group, best: dict[str, Any] | None, entry: dict[str, Any]
) -> tuple[dict[str, dict[str, Any]], str | None]:
    assert best is not None
    tests, reason = paired_tests(group.member(best["folder"]), group.member(entry["folder"]))
    found = {
        target: {"only_best": one.only_first, "only_this": one.only_second, "p_value": one.p_value}
        for target, one in tests.items()
    }
    return found, reason


def _draw(group: Group, entries: list[dict[str, Any]]) -> None:
    """The picture of the models that have finished, where there are any."""
    from imgclf.reporting.model_costs import ModelPoint, draw_models

    points = [
        ModelPoint(
            entry["label"],
            entry["latency_seconds"],
            entry["accuracy"],
            entry["accuracy_interval"],
            entry["weights_bytes"],
        )
        for entry in entries
        if entry["status"] == "finished"
    ]
    if points:
        write_whole(group.path / PICTURE, draw_models(points))
