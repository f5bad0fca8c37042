from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from imgclf.errors import ImgclfError
from imgclf.training.stopping import EarlyStopping, EarlyStoppingSettings


class FakeModel:
    """What Keras' callback touches of a model; its weights are the number of the epoch."""

    stop_training = False
    epoch = 0

    def get_weights(self) -> list[int]:
        return [self.epoch]


def keras_stops(values: list[float], mode: str, settings: EarlyStoppingSettings) -> tuple[int | None, int]:
    """The epoch at whose end Keras' callback stops, and the epoch whose weights it keeps."""
    import keras

    callback = keras.callbacks.EarlyStopping(
        monitor="loss",
        mode=mode,
        min_delta=settings.min_delta,
        patience=settings.patience,
        baseline=settings.baseline,
        restore_best_weights=True,
        start_from_epoch=settings.start_from_epoch,
    )
    model = FakeModel()
    callback.set_model(model)
    callback.on_train_begin()
    for model.epoch, value in enumerate(values):
        callback.on_epoch_end(model.epoch, {"loss": value})
        if model.stop_training:
            return model.epoch, callback.best_epoch
    return None, callback.best_epoch


def our_stops(values: list[float], settings: EarlyStoppingSettings) -> tuple[int | None, int]:
    stopping, best = EarlyStopping(settings), 0
    for epoch, value in enumerate(values):
        stopping.update({settings.monitor: value})
        best = epoch if stopping.improved else best
        if stopping.stop:
            return epoch, best
    return None, best


@pytest.mark.parametrize("seed", range(60))
def test_stops_and_keeps_weights_at_the_epochs_of_keras(seed: int) -> None:
    random = np.random.default_rng(seed)
    monitor, towards = (("validation_loss", "min"), ("accuracy", "max"))[seed % 2]
    # Multiples of 1/64 are exact in float32, in which Keras compares.
    values = [float(value) / 64 for value in random.integers(0, 64, 30)]
    settings = EarlyStoppingSettings(
        monitor=monitor,
        min_delta=float(random.integers(0, 6)) / 64,
        patience=int(random.integers(0, 8)),
        baseline=None if random.random() < 0.4 else float(random.integers(8, 56)) / 64,
        start_from_epoch=int(random.integers(0, 4)) if random.random() < 0.5 else 0,
    )
    assert our_stops(values, settings) == keras_stops(values, towards, settings)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_given_mode_overrules_the_metric(mode: str) -> None:
    settings = EarlyStoppingSettings(mode=mode, patience=2)
    values = [1.0, 2.0, 3.0, 2.0, 1.0, 0.5]
    assert our_stops(values, settings) == keras_stops(values, mode, settings)


def test_a_baseline_that_is_not_beaten_stops_in_spite_of_improvements() -> None:
    settings = EarlyStoppingSettings(monitor="loss", baseline=0.5, patience=3)
    stopping = EarlyStopping(settings)
    for loss in (1.0, 0.9, 0.8, 0.8):
        assert not stopping.stop
        stopping.update({"loss": loss})
    assert stopping.stop
    assert stopping.best == 0.8
    assert stopping.reason() == "loss did not reach the baseline 0.5 in 4 validations (best 0.8)"


def test_the_reason_names_the_best_value() -> None:
    stopping = EarlyStopping(EarlyStoppingSettings(patience=1))
    for loss in (0.25, 0.5):
        stopping.update({"validation_loss": loss})
    assert stopping.stop
    assert stopping.reason() == "validation_loss did not improve on 0.25 in 1 validation"


def test_nan_is_no_improvement() -> None:
    stopping = EarlyStopping(EarlyStoppingSettings(patience=2))
    stopping.update({"validation_loss": float("nan")})
    assert not stopping.improved
    assert stopping.best is None
    stopping.update({"validation_loss": 0.5})
    assert stopping.improved
    assert stopping.best == 0.5


def test_epochs_can_be_told_apart_from_validations() -> None:
    stopping = EarlyStopping(EarlyStoppingSettings(start_from_epoch=1))
    for epoch, loss in ((0, 0.1), (0, 0.2), (1, 0.3)):
        stopping.update({"validation_loss": loss}, epoch)
    assert stopping.best == 0.3


@pytest.mark.parametrize("cut", range(8))
def test_goes_on_from_its_state(cut: int) -> None:
    settings = EarlyStoppingSettings(monitor="accuracy", patience=2, baseline=0.4, start_from_epoch=1)
    values = [0.9, 0.3, 0.5, 0.4, 0.6, 0.5, 0.5, 0.5]
    first, second, whole = EarlyStopping(settings), EarlyStopping(settings), EarlyStopping(settings)
    for value in values:
        whole.update({"accuracy": value})
    for value in values[:cut]:
        first.update({"accuracy": value})
    second.restore({name: np.asarray(number)[()] for name, number in first.state().items()})
    for value in values[cut:]:
        second.update({"accuracy": value})
    assert second.state() == whole.state()
    assert (second.stop, second.improved, second.best) == (True, False, 0.6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"baseline": 0.5}, "baseline needs monitor: a baseline is a value of one metric"),
        ({"baseline": 90.0, "monitor": "accuracy"}, "a baseline of accuracy must lie from 0 to 1; got 90"),
        ({"baseline": -1.0, "monitor": "loss"}, "a baseline of loss must be 0 or more; got -1"),
    ],
)
def test_a_baseline_that_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EarlyStoppingSettings(**settings)


def test_a_baseline_of_null_needs_no_monitor() -> None:
    assert EarlyStoppingSettings(baseline=None).monitor == "validation_loss"


def test_a_metric_that_is_not_measured_is_named() -> None:
    with pytest.raises(ImgclfError, match=r"early_stopping.monitor: must be .* \(loss\); got validation_loss"):
        EarlyStopping(EarlyStoppingSettings()).update({"loss": 1.0})
