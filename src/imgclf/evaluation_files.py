"""What `evaluate` writes into a run's folder: the report of a split, the answer to each image, the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import Pixels
from imgclf.evaluation.binary import Scored, precision_recall_points, roc_points
from imgclf.runs.files import write_json, write_whole
from imgclf.runs.folder import RunFolder
from imgclf.runs.target_files import target_parts

GRID_IMAGES, PAIRS = 36, 12
SAMPLE_SEED = 0  # the same random sample of images for every run on the same data: pictures can be compared


@dataclass(frozen=True)
class TargetEvaluation:
    """The report of one target on a split, the true labels (images,), and the probabilities (images, classes).

    ``bins_before`` are the calibration bins of the probabilities before a temperature scaled them; None where none did.
    """

    target: str
    report: dict[str, Any]
    labels: NDArray[np.integer]
    probabilities: NDArray[np.float64]
    bins_before: list[dict[str, Any]] | None = None

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Which images are answered rightly: bool (images,)."""
        right: NDArray[np.bool_] = self.probabilities.argmax(axis=1) == self.labels
        return right


@dataclass(frozen=True)
class Evaluation:
    """A split's report of all targets (see REPORT_SCHEMA), its images, and what came of each target.

    ``transformed``, float32 (up to PAIRS, height, width, channels), is what the model's image layer, if it has one,
    makes of the first images of the random sample. ``fingerprint`` is that of the test split; None of the others.
    """

    report: dict[str, Any]
    pixels: Pixels
    targets: tuple[TargetEvaluation, ...]
    transformed: NDArray[np.float32] | None = None
    fingerprint: str | None = None


def write_evaluation(run: RunFolder, evaluation: Evaluation, samples: int = 0, variant: str = "") -> None:
    """Write the report of a split, the answer to each of its images, and its pictures into a run's folder.

    Of several targets each has answers and pictures of its own. ``variant`` becomes a part of their names, after the
    split's. The run's own name, which holds a time, stays out of the report: equal runs have equal files. There are no
    curves of a head that was fitted at once.
    """
    from imgclf.reporting.curves import draw_curves

    report = {name: value for name, value in evaluation.report.items() if name != "run"}
    suffix = suffix_of(report["split"], variant)
    write_json(run.path / f"report{suffix}.json", report)
    parts = target_parts([one.target for one in evaluation.targets])
    for one in evaluation.targets:
        write_whole(run.path / f"answers{parts[one.target]}{suffix}.csv", answers_text(one))
        of_target = f" of {one.target}" if len(evaluation.targets) > 1 else ""
        for name, picture in _target_pictures(one, evaluation.pixels, of_target).items():
            write_whole(run.plots / f"{name}{parts[one.target]}{suffix}.png", picture)
    sample = random_sample(evaluation.pixels)
    heading = "A random sample: predicted (true)"
    write_whole(run.plots / f"samples{suffix}.png", _grid(evaluation.pixels, evaluation.targets, sample, heading))
    if evaluation.transformed is not None:
        write_whole(run.plots / f"transformed{suffix}.png", _pairs(evaluation, evaluation.transformed, sample))
    history = run.read_metrics()
    if [row["learning_rate"] for row in history] != [None]:  # one row without a rate: a head that was fitted at once
        write_whole(run.plots / "curves.png", draw_curves(history))
    for number, position in enumerate(sample[:samples], 1):
        write_whole(run.path / f"samples{suffix}" / f"{number:03}.png", _labelled(evaluation, position))


def suffix_of(split: str, variant: str) -> str:
    """The end of the names of the files of a split: nothing for the test split of the run's own weights."""
    return ("" if split == "test" else f"-{split}") + variant


def answers_text(evaluated: TargetEvaluation) -> str:
    """A CSV row an image: index, label and predicted (places in the report's class_names), and its probability."""
    predicted, probability = evaluated.probabilities.argmax(axis=1), evaluated.probabilities.max(axis=1)
    rows = zip(evaluated.labels.tolist(), predicted.tolist(), probability.tolist(), strict=True)
    lines = [f"{index},{label},{guess},{share:.6f}" for index, (label, guess, share) in enumerate(rows)]
    return "\n".join(["index,label,predicted,probability", *lines]) + "\n"


def _target_pictures(evaluated: TargetEvaluation, pixels: Pixels, of_target: str) -> dict[str, bytes]:
    from imgclf.reporting.confusion import draw_confusion

    report, heading = evaluated.report, f"The most confident mistakes{of_target}: predicted (true)"
    return {
        "confusion": draw_confusion(report["confusion_matrix"], report["class_names"], f"Confusion matrix{of_target}"),
        "reliability": _reliability_picture(evaluated, of_target),
        "mistakes": _grid(pixels, [evaluated], _worst_mistakes(evaluated), heading),
        **_binary_pictures(evaluated, of_target),
    }


def _reliability_picture(evaluated: TargetEvaluation, of_target: str) -> bytes:
    from imgclf.reporting.reliability import Reliability, draw_reliability

    report = evaluated.report
    after = Reliability(report["calibration_bins"], report["calibration_error"])
    if evaluated.bins_before is None:
        return draw_reliability({f"Reliability{of_target}": after})
    told = report["calibration"]
    before = Reliability(evaluated.bins_before, told["calibration_error_before"])
    return draw_reliability(
        {f"Reliability{of_target}, unscaled": before, f"Scaled by temperature {told['temperature']:.3g}": after}
    )


def _binary_pictures(evaluated: TargetEvaluation, of_target: str) -> dict[str, bytes]:
    """The curves of two classes; none where the images are all of one class, since nothing is told apart."""
    from imgclf.reporting.binary import Point, draw_precision_recall, draw_roc

    binary = evaluated.report.get("binary")
    if binary is None or binary["roc_area"] is None:
        return {}
    positive, at = binary["positive_class"], binary["at_threshold"]
    names = evaluated.report["class_names"]
    scored = Scored.of(evaluated.probabilities, evaluated.labels, names.index(positive))
    rule = f"threshold {binary['threshold']:.4f} ({binary['threshold_rule']})" if at else ""
    roc_point = Point(1 - at["specificity"], at["recall"], rule) if at else None
    pr_point = Point(at["recall"], at["precision"], rule) if at and at["precision"] is not None else None
    return {
        "roc": draw_roc(*roc_points(scored), binary["roc_area"], roc_point, f"ROC{of_target}: {positive}"),
        "precision_recall": draw_precision_recall(
            *precision_recall_points(scored),
            binary["average_precision"],
            float(scored.is_positive.mean()),
            pr_point,
            f"Precision and recall{of_target}: {positive}",
        ),
    }


def _grid(pixels: Pixels, evaluated: Sequence[TargetEvaluation], positions: NDArray[np.int64], heading: str) -> bytes:
    from imgclf.reporting.grids import draw_grid

    shown = positions[:GRID_IMAGES]
    images = pixels.take(shown) if len(shown) else np.zeros((0, 1, 1, 1), np.uint8)
    return draw_grid(images, [_title(evaluated, position) for position in shown], heading)


def _pairs(evaluation: Evaluation, transformed: NDArray[np.float32], sample: NDArray[np.int64]) -> bytes:
    """The images above what the model's image layer makes of them, whose least value is drawn black, greatest white."""
    from imgclf.reporting.grids import draw_pairs

    shown = sample[: len(transformed)]
    least, greatest = float(transformed.min()), float(transformed.max())
    seen = np.rint((transformed - least) * (255 / max(greatest - least, 1e-12))).astype(np.uint8)
    titles = [(_title(evaluation.targets, position), ("", None)) for position in shown]
    heading = "Before and after the transform that the model learned: predicted (true)"
    return draw_pairs(evaluation.pixels.take(shown), seen, titles, heading)


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


def random_sample(pixels: Pixels) -> NDArray[np.int64]:
    """The positions of all images, in an order that depends on their number alone."""
    return np.random.default_rng(SAMPLE_SEED).permutation(len(pixels))


def _worst_mistakes(evaluated: TargetEvaluation) -> NDArray[np.int64]:
    """Positions of the images that were answered wrongly, the most confident first."""
    wrong = np.flatnonzero(~evaluated.correct)
    confidence = evaluated.probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-confidence, kind="stable")]
