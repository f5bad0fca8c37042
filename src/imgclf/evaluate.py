"""The job `evaluate`: from a trained model and a split to a report and its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import Split, Splits
from imgclf.datasets.rounded import rounded
from imgclf.datasets.shaped import shaped
from imgclf.errors import ImgclfError
from imgclf.evaluation.metrics import probabilities
from imgclf.evaluation.report import build_report
from imgclf.images.fit import ImageFit
from imgclf.inference import Forward
from imgclf.loading import load_splits
from imgclf.places import runs_folder
from imgclf.runs.files import write_json, write_whole
from imgclf.runs.folder import RunFolder
from imgclf.screen import Screen, Silent
from imgclf.trained import Source, find_source, open_trained
from imgclf.training.devices import DeviceChoice

SplitName = Literal["test", "validation", "train"]
GRID_IMAGES = 36
OTHER_DATA = "the training images are not those that this run was trained on; the evaluated images may differ too"
SAMPLE_SEED = 0  # the same random sample of images for every run on the same data: pictures can be compared


@dataclass(frozen=True)
class Evaluation:
    """A split's report (see REPORT_SCHEMA), and what the pictures are drawn from."""

    report: dict[str, Any]
    pixels: Any
    labels: NDArray[np.int32]
    probabilities: NDArray[np.float64]


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
    is_same = _is_same_data(source, splits)
    if not is_same:
        screen.say(f"warning: {OTHER_DATA}")
    evaluation = evaluate_split(trained.forward, splits, split, trained.fit)
    evaluation.report.update({"weights": source.weights.name} | ({} if is_same else {"warning": OTHER_DATA}))
    if source.run is None:
        return evaluation.report
    if samples > len(evaluation.labels):
        screen.say(f"--samples {samples}: the {split} split has only {len(evaluation.labels)} images")
    variant = ("" if source.is_reported else f"-{_stem(source.weights)}") + ("" if is_same else "-other-data")
    write_evaluation(source.run, evaluation, samples, variant)
    screen.say(f"report and pictures are in {source.run.path}")
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
    logits = forward.logits(pixels)[0]
    labels = images.labels[:, 0]
    report = build_report(logits, labels, splits.targets[0].class_names, split)
    return Evaluation(report, rounded(pixels), labels, probabilities(logits))


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

    ``variant`` becomes a part of their names, after the split's. The run's own name, which holds a time, stays out of
    the report: equal runs have equal files.
    """
    from imgclf.reporting.confusion import draw_confusion
    from imgclf.reporting.curves import draw_curves
    from imgclf.reporting.reliability import draw_reliability

    report = {name: value for name, value in evaluation.report.items() if name != "run"}
    suffix = ("" if report["split"] == "test" else f"-{report['split']}") + variant
    write_json(run.path / f"report{suffix}.json", report)
    write_whole(run.path / f"answers{suffix}.csv", answers_text(evaluation))
    pictures = {
        "confusion": draw_confusion(report["confusion_matrix"], report["class_names"]),
        "reliability": draw_reliability(report["calibration_bins"], report["calibration_error"]),
        "samples": _grid(evaluation, _random_sample(evaluation), "A random sample: predicted (true)"),
        "mistakes": _grid(evaluation, _worst_mistakes(evaluation), "The most confident mistakes: predicted (true)"),
    }
    for name, picture in pictures.items():
        write_whole(run.plots / f"{name}{suffix}.png", picture)
    write_whole(run.plots / "curves.png", draw_curves(run.read_metrics()))
    for number, position in enumerate(_random_sample(evaluation)[:samples], 1):
        write_whole(run.path / f"samples{suffix}" / f"{number:03}.png", _labelled(evaluation, position))


def answers_text(evaluation: Evaluation) -> str:
    """A CSV row an image: index, label and predicted (places in the report's class_names), and its probability."""
    predicted, probability = evaluation.probabilities.argmax(axis=1), evaluation.probabilities.max(axis=1)
    rows = zip(evaluation.labels.tolist(), predicted.tolist(), probability.tolist(), strict=True)
    lines = [f"{index},{label},{guess},{share:.6f}" for index, (label, guess, share) in enumerate(rows)]
    return "\n".join(["index,label,predicted,probability", *lines]) + "\n"


def _grid(evaluation: Evaluation, positions: NDArray[np.int64], heading: str) -> bytes:
    from imgclf.reporting.grids import draw_grid

    shown = positions[:GRID_IMAGES]
    images = evaluation.pixels.take(shown) if len(shown) else np.zeros((0, 1, 1, 1), np.uint8)
    return draw_grid(images, [_title(evaluation, position) for position in shown], heading)


def _labelled(evaluation: Evaluation, position: int) -> bytes:
    from imgclf.reporting.grids import label_image

    text, correct = _title(evaluation, position)
    return label_image(evaluation.pixels.take(np.array([position]))[0], text, correct)


def _title(evaluation: Evaluation, position: int) -> tuple[str, bool]:
    names = evaluation.report["class_names"]
    predicted, true = int(evaluation.probabilities[position].argmax()), int(evaluation.labels[position])
    return f"{names[predicted]} ({names[true]})", predicted == true


def _random_sample(evaluation: Evaluation) -> NDArray[np.int64]:
    return np.random.default_rng(SAMPLE_SEED).permutation(len(evaluation.labels))


def _worst_mistakes(evaluation: Evaluation) -> NDArray[np.int64]:
    """Positions of the images that were answered wrongly, the most confident first."""
    wrong = np.flatnonzero(evaluation.probabilities.argmax(axis=1) != evaluation.labels)
    confidence = evaluation.probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-confidence, kind="stable")]


def _stem(weights: Path) -> str:
    return weights.name.removesuffix(".h5").removesuffix(".weights")


def _is_same_data(source: Source, splits: Splits) -> bool:
    """Whether the training images are those of the run, as far as is known; other classes are refused."""
    if not source.record:
        return True
    known = source.record["data"]
    names = [tuple(target["class_names"]) for target in known["targets"]]
    if names != [target.class_names for target in splits.targets]:
        raise ImgclfError(
            f"{source.experiment.dataset.name}: the data's classes must be those of the run, {_few(names[0])}; "
            f"found {_few(splits.targets[0].class_names)}"
        )
    return bool(known["fingerprint"] == splits.fingerprint)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
