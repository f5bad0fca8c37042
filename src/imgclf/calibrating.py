"""Fitting temperatures for a run's weights: what `evaluate --calibrate` does before it evaluates."""

from __future__ import annotations

from dataclasses import replace
from math import log

from imgclf.datasets.base import Splits
from imgclf.datasets.pixels.shaped import shaped
from imgclf.errors import ImgclfError
from imgclf.evaluation.calibration import NoTemperature, effect, fit_temperature
from imgclf.experiment.schema import Experiment
from imgclf.models.classical_heads import ClassicalHead
from imgclf.runs.calibration import Calibration, read_calibration
from imgclf.runs.files import sha256_of
from imgclf.screen import Screen
from imgclf.trained import Source, Trained

NO_CHANGE = 0.01  # of a temperature's logarithm: what the rounding of scaled weights to float32 may leave


def check_calibrated(source: Source) -> None:
    """Raise ImgclfError where there is no run to keep the temperatures, or surely no validation split to fit them."""
    if source.run is None:
        raise ImgclfError(
            f"--calibrate: needs a run folder to keep the temperature in; {source.weights} is evaluated outside of one",
            hint="leave out --calibrate, or give a run",
        )
    dataset = source.experiment.dataset
    if not dataset.validation_size and not dataset.may_bring_validation():
        raise _no_validation(source.experiment)


def calibrate(trained: Trained, splits: Splits, is_same_data: bool, screen: Screen) -> Trained:
    """``trained`` with the temperatures that the validation split gives, which are kept in the run's folder.

    A head that was fitted at once holds its temperature in its weights; where it needs no other, that is said.
    Raises ImgclfError where there is no validation split, where its images may have been trained on, or where no
    temperature is best for any target; a target that has none, among several, keeps its outputs, and that is said.
    """
    source = trained.source
    if splits.validation is None:
        raise _no_validation(source.experiment)
    if not is_same_data:
        raise ImgclfError(
            "--calibrate: the training images are not those that this run was trained on, so that some of the "
            "validation images may have been",
            hint="fit the temperature where the run's own data lie",
        )
    calibration, head = _fitted(trained, splits, screen), source.experiment.model.head
    if isinstance(head, ClassicalHead) and all(abs(log(one)) < NO_CHANGE for one in calibration.temperatures.values()):
        screen.say(f"--calibrate: nothing to do: the {head.name} head was scaled on the validation images when fitted")
        return trained
    _write(calibration, trained, screen)
    return replace(trained, temperatures=calibration.temperatures)


def _no_validation(experiment: Experiment) -> ImgclfError:
    size = experiment.dataset.validation_size
    return ImgclfError(
        f"--calibrate: the run has no validation split to fit a temperature on (dataset.validation_size: {size})",
        hint="train a run that has one: --set dataset.validation_size=0.1",
    )


def _fitted(trained: Trained, splits: Splits, screen: Screen) -> Calibration:
    """The temperature of each target that has a best one; where none has, that is an error, and of some it is said."""
    assert splits.validation is not None
    outputs, labels = trained.forward.logits(shaped(splits.validation.pixels, trained.fit)), splits.validation.labels
    targets, is_only = {}, len(splits.targets) == 1
    for column, (target, logits) in enumerate(zip(splits.targets, outputs, strict=True)):
        try:
            temperature = fit_temperature(logits, labels[:, column])
        except NoTemperature as reason:
            if is_only:
                raise
            screen.say(f"{target.name} is not scaled: {reason}" + (f" {reason.hint}" if reason.hint else ""))
        else:
            targets[target.name] = effect(logits, labels[:, column], temperature)
    if not targets:
        raise NoTemperature("--calibrate: no target is left that a temperature could be fitted for")
    return Calibration(
        weights=trained.source.weights.name,
        weights_sha256=sha256_of(trained.source.weights),
        split="validation",
        num_images=len(labels),
        targets=targets,
    )


def _write(calibration: Calibration, trained: Trained, screen: Screen) -> None:
    assert trained.source.run is not None
    path = trained.source.run.calibration
    try:
        before = read_calibration(path, tuple(target.name for target in trained.targets))
    except ImgclfError as error:
        screen.say(f"{error}: replaced")
        before = None
    if before is not None and before.weights_sha256 != calibration.weights_sha256:
        screen.say(f"calibration.json, which was of other weights ({before.weights}), is replaced")
    calibration.write(path)
    for name, one in calibration.targets.items():
        of_target = f" of {name}" if len(trained.targets) > 1 else ""
        screen.say(
            f"temperature{of_target} {one['temperature']:.3g}, fitted on {calibration.num_images:,} validation images: "
            f"their loss from {one['loss_before']:.4f} to {one['loss_after']:.4f}, calibration error from "
            f"{one['calibration_error_before']:.4f} to {one['calibration_error_after']:.4f}"
        )
