"""The job `evaluate`: from a trained model and a split to a report and its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import Pixels, Split, Splits, Target
from imgclf.datasets.rounded import rounded
from imgclf.datasets.shaped import shaped
from imgclf.errors import ImgclfError
from imgclf.evaluation.metrics import probabilities
from imgclf.evaluation.report import build_report, join_reports
from imgclf.images.fit import ImageFit
from imgclf.inference import Forward
from imgclf.loading import load_splits, say_left_out
from imgclf.places import runs_folder
from imgclf.runs.files import write_json, write_whole
from imgclf.runs.folder import RunFolder
from imgclf.runs.target_files import target_parts
from imgclf.screen import Screen, Silent
from imgclf.trained import Source, find_source, open_trained, recorded_targets
from imgclf.training.devices import DeviceChoice

SplitName = Literal["test", "validation", "train"]
GRID_IMAGES = 36
OTHER_DATA = "the training images are not those that this run was trained on; the evaluated images may differ too"
SAMPLE_SEED = 0  # the same random sample of images for every run on the same data: pictures can be compared


@dataclass(frozen=True)
class TargetEvaluation:
    """The report of one target on a split, the true labels (images,), and the probabilities (images, classes)."""

    target: str
    report: dict[str, Any]
    labels: NDArray[np.int32]
    probabilities: NDArray[np.float64]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Which images are answered rightly: bool (images,)."""
        right: NDArray[np.bool_] = self.probabilities.argmax(axis=1) == self.labels
        return right


@dataclass(frozen=True)
class Evaluation:
    """A split's report of all targets (see REPORT_SCHEMA), its images, and what came of each target."""

    report: dict[str, Any]
    pixels: Pixels
    targets: tuple[TargetEvaluation, ...]


def evaluate(
    run: str | None = None,
    *,
    weights: str | Path | None = None,
    config: str | None = None,
    split: SplitName = "test",
    samples: int = 0,
    device: DeviceChoice | None = None,
    data_dir: str | Path | None = None,
    runs_dir: str | Path | None = None,
    screen: Screen | None = None,
) -> dict[str, Any]:
    """The report of a run (default: the newest finished one) or of a weights file on one split.

    For a run, report.json and the pictures are written into its folder; those of another split, of other weights than
    the run reports on, or of other data have names of their own, such as report-validation-best.json. ``samples``
    images are saved enlarged with their labels. Raises ImgclfError where run, weights or data are missing or don't fit.
    """
    screen = screen or Silent()
    source = find_evaluated(run, weights, config, samples, runs_dir)
    screen.say(f"evaluating {source.weights} on the {split} split")
    trained = open_trained(source, device, data_dir, screen)
    splits = load_splits(source.experiment, data_dir, screen)
    say_left_out(splits, screen)
    is_same = _is_same_data(source, splits)
    if not is_same:
        screen.say(f"warning: {OTHER_DATA}")
    evaluation = evaluate_split(trained.forward, splits, split, trained.fit)
    evaluation.report.update({"weights": source.weights.name} | ({} if is_same else {"warning": OTHER_DATA}))
    if source.run is None:
        return evaluation.report
    if samples > len(evaluation.pixels):
        screen.say(f"--samples {samples}: the {split} split has only {len(evaluation.pixels)} images")
    variant = ("" if source.is_reported else f"-{_stem(source.weights)}") + ("" if is_same else "-other-data")
    write_evaluation(source.run, evaluation, samples, variant)
    suffix = _suffix(split, variant)
    screen.say(f"report{suffix}.json and pictures are in {source.run.path}")
    return evaluation.report | {"run": source.run.name}


def find_evaluated(
    run: str | None, weights: str | Path | None, config: str | None, samples: int, runs_dir: str | Path | None
) -> Source:
    """The trained model that the user means. Raises ImgclfError where there is none, or no folder for its pictures."""
    source = find_source(run, Path(weights) if weights else None, config, runs_folder(runs_dir))
    if samples and source.run is None:
        raise ImgclfError(
            f"--samples {samples}: needs a run folder to write into; {source.weights} is evaluated outside of one",
            hint="leave out --samples, or give a run",
        )
    return source


def evaluate_split(forward: Forward, splits: Splits, split: SplitName, fit: ImageFit) -> Evaluation:
    """The report of one split of the data, by the same forward pass for whoever asks."""
    images = choose_split(splits, split)
    pixels = shaped(images.pixels, fit)
    evaluated = tuple(
        _evaluate_target(target, logits, images.labels[:, column], split)
        for column, (target, logits) in enumerate(zip(splits.targets, forward.logits(pixels), strict=True))
    )
    correct = np.stack([one.correct for one in evaluated], axis=1)
    report = join_reports({one.target: one.report for one in evaluated}, correct)
    return Evaluation(report, rounded(pixels), evaluated)


def _evaluate_target(
    target: Target, logits: NDArray[np.float32], labels: NDArray[np.int32], split: SplitName
) -> TargetEvaluation:
    report = build_report(logits, labels, target.class_names, split)
    return TargetEvaluation(target.name, report, labels, probabilities(logits))


def choose_split(splits: Splits, split: SplitName) -> Split:
    """One split of the data; the test split is read here. Raises ImgclfError where there is no validation split."""
    if split == "test":
        return splits.load_test()
    if split == "validation" and splits.validation is None:
        raise ImgclfError("the experiment has no validation split (dataset.validation_size: 0)")
    chosen = splits.train if split == "train" else splits.validation
    assert chosen is not None
    return chosen


def write_evaluation(run: RunFolder, evaluation: Evaluation, samples: int = 0, variant: str = "") -> None:
    """Write the report of a split, the answer to each of its images, and its pictures into a run's folder.

    Of several targets each has answers and pictures of its own. ``variant`` becomes a part of their names, after the
    split's. The run's own name, which holds a time, stays out of the report: equal runs have equal files.
    """
    from imgclf.reporting.curves import draw_curves

    report = {name: value for name, value in evaluation.report.items() if name != "run"}
    suffix = _suffix(report["split"], variant)
    write_json(run.path / f"report{suffix}.json", report)
    parts = target_parts([one.target for one in evaluation.targets])
    for one in evaluation.targets:
        write_whole(run.path / f"answers{parts[one.target]}{suffix}.csv", answers_text(one))
        of_target = f" of {one.target}" if len(evaluation.targets) > 1 else ""
        for name, picture in _target_pictures(one, evaluation.pixels, of_target).items():
            write_whole(run.plots / f"{name}{parts[one.target]}{suffix}.png", picture)
    sample = _random_sample(evaluation)
    heading = "A random sample: predicted (true)"
    write_whole(run.plots / f"samples{suffix}.png", _grid(evaluation.pixels, evaluation.targets, sample, heading))
    write_whole(run.plots / "curves.png", draw_curves(run.read_metrics()))
    for number, position in enumerate(sample[:samples], 1):
        write_whole(run.path / f"samples{suffix}" / f"{number:03}.png", _labelled(evaluation, position))


def _suffix(split: str, variant: str) -> str:
    return ("" if split == "test" else f"-{split}") + variant


def answers_text(evaluated: TargetEvaluation) -> str:
    """A CSV row an image: index, label and predicted (places in the report's class_names), and its probability."""
    predicted, probability = evaluated.probabilities.argmax(axis=1), evaluated.probabilities.max(axis=1)
    rows = zip(evaluated.labels.tolist(), predicted.tolist(), probability.tolist(), strict=True)
    lines = [f"{index},{label},{guess},{share:.6f}" for index, (label, guess, share) in enumerate(rows)]
    return "\n".join(["index,label,predicted,probability", *lines]) + "\n"


def _target_pictures(evaluated: TargetEvaluation, pixels: Pixels, of_target: str) -> dict[str, bytes]:
    from imgclf.reporting.confusion import draw_confusion
    from imgclf.reporting.reliability import draw_reliability

    report, heading = evaluated.report, f"The most confident mistakes{of_target}: predicted (true)"
    return {
        "confusion": draw_confusion(report["confusion_matrix"], report["class_names"], f"Confusion matrix{of_target}"),
        "reliability": draw_reliability(
            report["calibration_bins"], report["calibration_error"], f"Reliability{of_target}"
        ),
        "mistakes": _grid(pixels, [evaluated], _worst_mistakes(evaluated), heading),
    }


def _grid(pixels: Pixels, evaluated: Sequence[TargetEvaluation], positions: NDArray[np.int64], heading: str) -> bytes:
    from imgclf.reporting.grids import draw_grid

    shown = positions[:GRID_IMAGES]
    images = pixels.take(shown) if len(shown) else np.zeros((0, 1, 1, 1), np.uint8)
    return draw_grid(images, [_title(evaluated, position) for position in shown], heading)


def _labelled(evaluation: Evaluation, position: int) -> bytes:
    from imgclf.reporting.grids import label_image

    text, correct = _title(evaluation.targets, position)
    return label_image(evaluation.pixels.take(np.array([position]))[0], text, correct)


def _title(evaluated: Sequence[TargetEvaluation], position: int) -> tuple[str, bool]:
    """The predicted and the true class of an image, a line a target, and whether every answer is right."""
    lines = []
    for one in evaluated:
        names = one.report["class_names"]
        predicted, true = int(one.probabilities[position].argmax()), int(one.labels[position])
        lines.append(f"{names[predicted]} ({names[true]})")
    return "\n".join(lines), all(bool(one.correct[position]) for one in evaluated)


def _random_sample(evaluation: Evaluation) -> NDArray[np.int64]:
    return np.random.default_rng(SAMPLE_SEED).permutation(len(evaluation.pixels))


def _worst_mistakes(evaluated: TargetEvaluation) -> NDArray[np.int64]:
    """Positions of the images that were answered wrongly, the most confident first."""
    wrong = np.flatnonzero(~evaluated.correct)
    confidence = evaluated.probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-confidence, kind="stable")]


def _stem(weights: Path) -> str:
    return weights.name.removesuffix(".h5").removesuffix(".weights")


def _is_same_data(source: Source, splits: Splits) -> bool:
    """Whether the training images are those of the run, as far as is known; other classes are refused."""
    if not source.record:
        return True
    known = source.record["data"]
    _refuse_other_classes(source.experiment.dataset.name, recorded_targets(source.record), splits.targets)
    return bool(known["fingerprint"] == splits.fingerprint)


def _refuse_other_classes(dataset: str, known: Sequence[Target], found: Sequence[Target]) -> None:
    names, found_names = [one.name for one in known], [one.name for one in found]
    if names != found_names:
        raise ImgclfError(
            f"{dataset}: the data's targets must be those of the run, {_few(names)}; found {_few(found_names)}"
        )
    for one, other in zip(known, found, strict=True):
        if one.class_names != other.class_names:
            whose = f"classes of {one.name}" if len(known) > 1 else "classes"
            raise ImgclfError(
                f"{dataset}: the data's {whose} must be those of the run, {_few(one.class_names)}; "
                f"found {_few(other.class_names)}"
            )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
