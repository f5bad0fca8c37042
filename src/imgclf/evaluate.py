"""The job `evaluate`: from a trained model and a split to a report and its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from imgclf.calibrating import calibrate as fit_temperatures
from imgclf.calibrating import check_calibrated
from imgclf.datasets.base import Split, Splits, Target
from imgclf.datasets.pixels.rounded import rounded
from imgclf.datasets.pixels.shaped import shaped
from imgclf.datasets.split import fingerprint_of_test
from imgclf.errors import ImgclfError
from imgclf.evaluation.calibration import scaled
from imgclf.evaluation.metrics import calibration_bins, probabilities
from imgclf.evaluation.report import BY_DEFAULT, Answers, build_report, join_reports
from imgclf.evaluation.settings import EvaluationSettings, averaging_text
from imgclf.evaluation_files import (
    PAIRS,
    Evaluation,
    TargetEvaluation,
    random_sample,
    suffix_of,
    write_evaluation,
)
from imgclf.images.fit import ImageFit
from imgclf.inference import Forward
from imgclf.loading import loading_once, say_left_out, say_undrawable
from imgclf.places import runs_folder
from imgclf.runs.folder import RunFolder
from imgclf.screen import Screen, Silent
from imgclf.texts import few
from imgclf.trained import Source, find_source, open_trained, recorded_targets
from imgclf.training.devices import DeviceChoice

SplitName = Literal["test", "validation", "train"]
NO_TEMPERATURES: Mapping[str, float] = MappingProxyType({})
OTHER_DATA = "the training images are not those that this run was trained on; the evaluated images may differ too"
OTHER_TEST = "the test images are not those that this run was tested on"


def evaluate(
    run: str | None = None,
    *,
    weights: str | Path | None = None,
    config: str | None = None,
    split: SplitName = "test",
    samples: int = 0,
    calibrate: bool = False,
    device: DeviceChoice | None = None,
    data_dir: str | Path | None = None,
    runs_dir: str | Path | None = None,
    screen: Screen | None = None,
) -> dict[str, Any]:
    """The report of a run (default: the newest finished one) or of a weights file on one split.

    For a run, report.json and the pictures are written into its folder; those of another split, of other weights than
    the run reports on, or of other data have names of their own, such as report-validation-best.json. ``samples``
    images are saved enlarged with their labels. ``calibrate`` first fits a temperature for the weights on the
    validation split and keeps it in the run's folder, for every later prediction and evaluation. Raises ImgclfError
    where run, weights or data are missing or don't fit, or where nothing can be fitted.
    """
    screen = screen or Silent()
    source = find_evaluated(run, weights, config, samples, calibrate, runs_dir)
    settings = source.experiment.evaluation
    averaging = averaging_text(settings.test_time_augmentation)
    screen.say(f"evaluating {source.weights} on the {split} split{averaging}")
    load_data = loading_once(source.experiment, data_dir, screen)
    trained = open_trained(source, device, load_data, screen, calibrated=not calibrate)
    splits = load_data()
    say_left_out(splits, screen)
    is_same = _is_same_data(source, splits)
    warning = None if is_same else OTHER_DATA
    if warning:
        screen.say(f"warning: {warning}")
    if calibrate:
        trained = fit_temperatures(trained, splits, is_same, screen)
    evaluation = evaluate_split(trained.forward, splits, split, trained.fit, settings, trained.temperatures)
    if not warning and not _is_same_test(source, evaluation):
        warning = OTHER_TEST
        screen.say(f"warning: {warning}")
    evaluation.report.update({"weights": source.weights.name} | ({"warning": warning} if warning else {}))
    if source.run is None:
        return evaluation.report
    if not warning and source.record.get("status") == "finished" and "test_fingerprint" not in source.record["data"]:
        record_test(source.run, evaluation)  # of a run from before this was kept
    if samples > len(evaluation.pixels):
        screen.say(f"--samples {samples}: the {split} split has only {len(evaluation.pixels)} images")
    say_undrawable(splits.targets, screen.say)
    variant = ("" if source.is_reported else f"-{_stem(source.weights)}") + ("-other-data" if warning else "")
    write_evaluation(source.run, evaluation, samples, variant)
    suffix = suffix_of(split, variant)
    screen.say(f"report{suffix}.json and pictures are in {source.run.path}")
    return evaluation.report | {"run": source.run.name}


def find_evaluated(
    run: str | None,
    weights: str | Path | None,
    config: str | None,
    samples: int,
    calibrate: bool,
    runs_dir: str | Path | None,
) -> Source:
    """The trained model that the user means. Raises ImgclfError where there is none, or no folder for what is asked."""
    source = find_source(run, Path(weights) if weights else None, config, runs_folder(runs_dir))
    if samples and source.run is None:
        raise ImgclfError(
            f"--samples {samples}: needs a run folder to write into; {source.weights} is evaluated outside of one",
            hint="leave out --samples, or give a run",
        )
    if calibrate:
        check_calibrated(source)
    return source


def evaluate_split(
    forward: Forward,
    splits: Splits,
    split: SplitName,
    fit: ImageFit,
    settings: EvaluationSettings = BY_DEFAULT,
    temperatures: Mapping[str, float] = NO_TEMPERATURES,
) -> Evaluation:
    """The report of one split of the data, by the same forward pass for whoever asks.

    Where a target has two classes, the validation split goes through it as well. ``temperatures``, by target, scale
    the logits.
    """
    images = choose_split(splits, split)
    answers = _answers(forward, images, fit)
    validation = answers if split == "validation" else _validation_answers(forward, splits, fit)
    evaluated = tuple(
        _evaluate_target(
            target, answers[column], validation[column] if validation else None, split, settings, temperatures
        )
        for column, target in enumerate(splits.targets)
    )
    correct = np.stack([one.correct for one in evaluated], axis=1)
    report = join_reports({one.target: one.report for one in evaluated}, correct)
    if settings.test_time_augmentation:
        report["test_time_augmentation"] = settings.test_time_augmentation
    pixels = shaped(images.pixels, fit)
    transformed = forward.image_output(pixels.take(random_sample(pixels)[:PAIRS]))
    digest = fingerprint_of_test(splits, images) if split == "test" else None
    return Evaluation(report, rounded(pixels), evaluated, transformed, digest)


def _answers(forward: Forward, images: Split, fit: ImageFit) -> list[Answers]:
    """Logits and labels of each target."""
    outputs = forward.logits(shaped(images.pixels, fit))
    return [(logits, images.labels[:, column]) for column, logits in enumerate(outputs)]


def _validation_answers(forward: Forward, splits: Splits, fit: ImageFit) -> list[Answers] | None:
    """Those of the validation split, where there is one and some target has two classes, which need it."""
    needed = any(len(target.class_names) == 2 for target in splits.targets)
    return _answers(forward, splits.validation, fit) if needed and splits.validation else None


def _evaluate_target(
    target: Target,
    answers: Answers,
    validation: Answers | None,
    split: SplitName,
    settings: EvaluationSettings,
    temperatures: Mapping[str, float],
) -> TargetEvaluation:
    (logits, labels), temperature = answers, temperatures.get(target.name)
    report = build_report(
        logits, labels, target.class_names, split, settings=settings, validation=validation, temperature=temperature
    )
    plain = probabilities(logits)
    if temperature is None:
        return TargetEvaluation(target.name, report, labels, plain)
    bins_before = calibration_bins(plain, labels)
    return TargetEvaluation(target.name, report, labels, probabilities(scaled(logits, temperature)), bins_before)


def choose_split(splits: Splits, split: SplitName) -> Split:
    """One split of the data; the test split is read here. Raises ImgclfError where there is no validation split."""
    if split == "test":
        return splits.load_test()
    if split == "validation" and splits.validation is None:
        raise ImgclfError("the experiment has no validation split (dataset.validation_size: 0)")
    chosen = splits.train if split == "train" else splits.validation
    assert chosen is not None
    return chosen


def _stem(weights: Path) -> str:
    return weights.name.removesuffix(".h5").removesuffix(".weights")


def _is_same_data(source: Source, splits: Splits) -> bool:
    """Whether the training images are those of the run, as far as is known; other classes are refused."""
    if not source.record:
        return True
    known = source.record["data"]
    _refuse_other_classes(source.experiment.dataset.name, recorded_targets(source.record), splits.targets)
    return bool(known["fingerprint"] == splits.fingerprint)


def _is_same_test(source: Source, evaluation: Evaluation) -> bool:
    """Whether test images are those that the run was tested on, as far as is known; other splits are no matter here."""
    known = source.record["data"] if source.record else {}
    if evaluation.fingerprint is None or not known:
        return True
    if "test_fingerprint" in known:
        return bool(known["test_fingerprint"] == evaluation.fingerprint)
    return bool(known["images"]["test"] == len(evaluation.pixels))


def record_test(run: RunFolder, evaluation: Evaluation) -> None:
    """Keep in run.json on which test images the run's report is."""
    if evaluation.fingerprint:
        run.update(data={**run.record()["data"], "test_fingerprint": evaluation.fingerprint})


def _refuse_other_classes(dataset: str, known: Sequence[Target], found: Sequence[Target]) -> None:
    names, found_names = [one.name for one in known], [one.name for one in found]
    if names != found_names:
        raise ImgclfError(
            f"{dataset}: the data's targets must be those of the run, {few(names)}; found {few(found_names)}"
        )
    for one, other in zip(known, found, strict=True):
        if one.class_names != other.class_names:
            whose = f"classes of {one.name}" if len(known) > 1 else "classes"
            raise ImgclfError(
                f"{dataset}: the data's {whose} must be those of the run, {few(one.class_names)}; "
                f"found {few(other.class_names)}"
            )
