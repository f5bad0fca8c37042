"""How results are printed on standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgclf.cli.tables import print_table
from imgclf.errors import printable
from imgclf.evaluation.settings import averaging_text
from imgclf.runs.files import json_text
from imgclf.texts import command_text

if TYPE_CHECKING:
    from imgclf.experiment.schema import Experiment
    from imgclf.train import TrainingResult

MANY_CLASSES = 30

_FIGURES = {
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "f1": "F1",
    "accuracy": "accuracy",
}


def print_json(value: Any) -> None:
    """JSON for programs; NaN never appears in it."""
    print(json_text(value))


def line(text: str = "") -> None:
    """One line of results, unwrapped; control characters are escaped."""
    print(printable(text))


def print_training(result: TrainingResult, data_dir: str | None) -> None:
    """The end of `train`: results, reference, diagnosis, and the commands that come next.

    ``data_dir`` is the data folder where one was named.
    """
    line()
    for text in (*accuracy_texts(result.report), *binary_texts(result.report)):
        line(text)
    line(reference_text(result.experiment, result.report["accuracy"]))
    line()
    line(f"diagnosis: {result.diagnosis.kind}")
    for sentence in (*result.diagnosis.seen, *(f"try: {advice}" for advice in result.diagnosis.advice)):
        line(f"  {sentence}")
    line()
    line(f"took {result.seconds:.1f} s; everything is in {result.run.path}")
    data = ["--data-dir", data_dir] if data_dir else []
    line(f"evaluate: {command_text('evaluate', result.run.path, *data)}")
    line(f"predict:  {command_text('predict', 'image.png', '--run', result.run.path)}")


def accuracy_texts(report: dict[str, Any]) -> list[str]:
    """Accuracy with its interval, and the loss, as one line; of several targets the whole, then a line for each."""
    by_target = reports_by_target(report)
    if not by_target:
        return [_accuracy_text(report) + _averaging(report)]
    return [
        _mean_text(report) + _averaging(report),
        *(f"{name}: {_accuracy_text(one)}" for name, one in by_target.items()),
    ]


def binary_texts(report: dict[str, Any]) -> list[str]:
    """Areas, threshold and the figures at it, of each target with two classes; empty where there is none."""
    by_target = reports_by_target(report)
    if not by_target:
        return _binary_texts(report)
    return [f"{name}: {text}" for name, one in by_target.items() for text in _binary_texts(one)]


def _binary_texts(report: dict[str, Any]) -> list[str]:
    binary = report.get("binary")
    if binary is None:
        return []
    positive = f"{binary['positive_class']} against {_other_class(report)}"
    if binary["roc_area"] is None:
        areas = f"{positive}: no ROC area, since the {report['split']} images are all of one class"
    else:
        areas = f"{positive}: ROC area {binary['roc_area']:.4f}, average precision {binary['average_precision']:.4f}"
    if binary["threshold"] is None:
        return [areas, f"no threshold ({binary['threshold_rule']}): {binary['threshold_note']}"]
    threshold = f"threshold {binary['threshold']:.4f} ({binary['threshold_rule']}), {binary['threshold_note']}"
    figures = ", ".join(f"{_FIGURES[name]} {_figure(value)}" for name, value in binary["at_threshold"].items())
    return [areas, threshold, f"at the threshold: {figures}"]


def _other_class(report: dict[str, Any]) -> str:
    first, second = map(str, report["class_names"])
    return first if report["binary"]["positive_class"] == second else second


def reports_by_target(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The reports of several targets, by name; a single target's report names none."""
    by_target: dict[str, dict[str, Any]] = report.get("targets", {})
    return by_target


def _accuracy_text(report: dict[str, Any]) -> str:
    interval = _interval_text(report["accuracy_interval"])
    return f"{report['split']} accuracy {report['accuracy']:.4f} ({interval}), {_loss_text(report)}"


def _mean_text(report: dict[str, Any]) -> str:
    matches = f"all right {report['exact_match_ratio']:.4f} ({_interval_text(report['exact_match_interval'])})"
    over = f"mean over {len(report['targets'])} targets"
    return f"{report['split']} accuracy {report['accuracy']:.4f} ({over}), {matches}, {_loss_text(report)}"


def _interval_text(interval: list[float]) -> str:
    low, high = interval
    return f"95 % interval {low:.4f} to {high:.4f}"


def _loss_text(report: dict[str, Any]) -> str:
    return f"loss {report['loss']:.4f}, {report['num_images']:,} images"


def reference_text(experiment: Experiment, accuracy: float) -> str:
    """The result beside what the config was measured to reach."""
    reference = experiment.reference
    if reference is None:
        return "reference: this config has none"
    if reference.digest != experiment.digest():
        return "reference: measured with other settings, not comparable"
    told = reference.accuracy
    runs = f"{len(reference.seeds)} seeds" if len(reference.seeds) > 1 else "one seed"
    text = f"reference {told.mean:.4f} ({told.minimum:.4f} to {told.maximum:.4f}, {runs}, "
    text += f"{reference.machine}, {reference.date})"
    return f"{text}; this run is {accuracy - told.mean:+.4f} from its mean"


def print_report(report: dict[str, Any]) -> None:
    """A report as text: accuracy, classes, averages, confusions, calibration; of several targets one after another."""
    by_target = reports_by_target(report)
    if not by_target:
        _print_target(report)
        return
    line(_mean_text(report) + _averaging(report))
    for name, one in by_target.items():
        line()
        line(f"{name}:")
        _print_target(one)


def _print_target(report: dict[str, Any]) -> None:
    line(_accuracy_text(report) + _averaging(report))
    for k, value in report["top_k"].items():
        line(f"top-{k} accuracy {value:.4f}")
    line(_calibration_text(report))
    for text in _binary_texts(report):
        line(text)
    line()
    _print_classes(report)
    if report["most_confused"]:
        line()
        line("most confused (true taken for predicted):")
        for pair in report["most_confused"]:
            line(f"  {pair['true']} for {pair['predicted']}: {pair['count']} ({pair['share']:.1%} of {pair['true']})")


def _calibration_text(report: dict[str, Any]) -> str:
    text, told = f"calibration error {report['calibration_error']:.4f}", report.get("calibration")
    if told is None:
        return text
    before = f"{told['calibration_error_before']:.4f} (loss {told['loss_before']:.4f})"
    fitted = ", fitted on these very images" if report["split"] == "validation" else ""
    return f"{text}, {before} before scaling by temperature {told['temperature']:.3g}{fitted}"


def _averaging(report: dict[str, Any]) -> str:
    return averaging_text(report.get("test_time_augmentation"))


def _print_classes(report: dict[str, Any]) -> None:
    classes = report["per_class"]
    rows = [[row["class_name"], *_scores(row), f"{row['support']:,}"] for row in classes[:MANY_CLASSES]]
    if len(classes) > MANY_CLASSES:
        rows.append([f"... {len(classes) - MANY_CLASSES} more classes: --json", "", "", "", ""])
    for name in ("macro_average", "weighted_average"):
        rows.append([name.replace("_", " "), *_scores(report[name]), f"{report['num_images']:,}"])
    figures = ["precision", "recall", "F1", "images"]
    print_table(["class", *figures], rows, right=figures)


def _scores(row: dict[str, Any]) -> list[str]:
    return [_figure(row[name]) for name in ("precision", "recall", "f1")]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
