"""The job `compare`: two runs side by side."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgclf.errors import ImgclfError, WorkFailed
from imgclf.experiment.differences import Difference, differences, settings_of
from imgclf.experiment.load import load_experiment
from imgclf.places import runs_folder
from imgclf.runs.files import write_whole
from imgclf.runs.find import find_run
from imgclf.runs.folder import RunFolder, read_json
from imgclf.runs.target_files import target_parts
from imgclf.texts import command_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from imgclf.evaluation.metrics import PairedTest

OTHER_IMAGES = "the runs were tested on different images"


@dataclass(frozen=True)
class Side:
    """A run, the name that tells it from the other one, and its report on the test split; None if it has none."""

    run: RunFolder
    name: str
    report: dict[str, Any] | None


@dataclass(frozen=True)
class Comparison:
    """Two runs, the settings in which they differ, and the picture of their curves.

    ``paired`` is the exact McNemar test on the test images, by target; where it is empty, ``not_paired`` says why.
    """

    sides: tuple[Side, Side]
    differences: tuple[Difference, ...]
    paired: dict[str, PairedTest]
    not_paired: str | None
    picture: Path


def compare(
    first: str, second: str, *, picture: str | Path | None = None, runs_dir: str | Path | None = None
) -> Comparison:
    """Compare two runs, and draw their curves into ``picture`` (default: compare-FIRST-SECOND.png beside the runs).

    Raises ImgclfError where a run is not there or can't be read, both are one, or the picture can't be written.
    """
    folder = runs_folder(runs_dir)
    runs = find_run(first, folder), find_run(second, folder)
    if runs[0].path.resolve() == runs[1].path.resolve():
        raise ImgclfError(f"{runs[0].path}: both names are this run", hint="`imgclf runs list` shows the others")
    path = Path(picture) if picture else folder / f"compare-{runs[0].name}-{runs[1].name}.png"
    if path.suffix.lower() != ".png":
        raise ImgclfError(f"{path}: the picture's name must end in .png")
    sides = _side(runs[0], runs[1]), _side(runs[1], runs[0])
    found = tuple(differences(*(_settings(run) for run in runs)))
    paired, obstacle = paired_tests(*runs)
    _draw(path, sides)
    return Comparison(sides, found, paired, obstacle, path)


def paired_tests(first: RunFolder, second: RunFolder) -> tuple[dict[str, PairedTest], str | None]:
    """The exact McNemar test of two runs on the same test images, by target; or none, and the reason why."""
    obstacle, correct = _paired_answers(first, second)
    return {name: _test(*both) for name, both in correct.items()}, obstacle


def _side(run: RunFolder, other: RunFolder) -> Side:
    name = run.name if run.name != other.name else str(run.path)
    return Side(run, name, read_json(run.report) if run.report.is_file() else None)


def _settings(run: RunFolder) -> dict[str, Any]:
    return settings_of(load_experiment(str(run.experiment)).experiment)


def _paired_answers(
    first: RunFolder, second: RunFolder
) -> tuple[str | None, dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]]:
    """Why the runs' answers can't be paired, or for each target which test images each of them got right."""
    data = [run.record().get("data", {}) for run in (first, second)]
    for run in (first, second):
        if missing := [path.name for path in _answers_files(run).values() if not path.is_file()]:
            return f"{run.name} has no {missing[0]}; `{command_text('evaluate', run.path)}` writes it", {}
    if data[0].get("fingerprint") != data[1].get("fingerprint"):
        return "the runs were trained on different data", {}
    tested = {one["test_fingerprint"] for one in data if "test_fingerprint" in one}
    if len(tested) > 1:
        return OTHER_IMAGES, {}
    answers, others = _read_answers(first), _read_answers(second)
    same_labels = all(answers[name][0] == others[name][0] for name in answers.keys() & others.keys())
    if data[0].get("targets") != data[1].get("targets") or not same_labels:
        return OTHER_IMAGES, {}
    import numpy as np

    return None, {name: (np.array(answers[name][1]), np.array(others[name][1])) for name in answers}


def _answers_files(run: RunFolder) -> dict[str, Path]:
    """The file that holds a run's answers on the test split, for each target."""
    names = [target["name"] for target in run.record().get("data", {}).get("targets", ({"name": "label"},))]
    return {name: run.path / f"answers{part}.csv" for name, part in target_parts(names).items()}


def _read_answers(run: RunFolder) -> dict[str, tuple[list[int], list[bool]]]:
    """For each target the label of every test image, and whether the run's answer is right."""
    return {name: _read_answers_file(run, path) for name, path in _answers_files(run).items()}


def _read_answers_file(run: RunFolder, path: Path) -> tuple[list[int], list[bool]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(int(row["label"]), int(row["predicted"])) for row in csv.DictReader(file)]
    except (KeyError, TypeError, ValueError, OSError, csv.Error) as error:
        hint = f"`{command_text('evaluate', run.path)}` writes it anew"
        raise ImgclfError(f"{path}: not a list of answers (index,label,predicted,probability)", hint=hint) from error
    return [label for label, _ in rows], [label == predicted for label, predicted in rows]


def _test(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> PairedTest:
    from imgclf.evaluation.metrics import paired_test

    return paired_test(first, second)


def _draw(path: Path, sides: tuple[Side, Side]) -> None:
    from imgclf.reporting.curves import draw_runs

    content = draw_runs({side.name: side.run.read_metrics() for side in sides})
    try:
        write_whole(path, content)
    except WorkFailed as error:
        hint = "choose another file with --plot"
        raise ImgclfError(f"{path}: the picture can't be written: {error.__cause__}", hint=hint) from error
