from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from imgclf.errors import ImgclfError
from imgclf.settings import Settings
from imgclf.training.schedules import Constant, Cosine, ReduceOnPlateau, RunningPlateau, ScheduleUnion

PER_EPOCH, TOTAL = 10, 100


class Training(Settings):
    schedule: ScheduleUnion = Field(Constant(name="constant"))


def read(text: str) -> ScheduleUnion:
    return Training.model_validate_json(f'{{"schedule": {text}}}').schedule


def rates(text: str, base: float = 0.5) -> NDArray[np.float32]:
    return read(text).start().learning_rates(base, 0, TOTAL, PER_EPOCH, TOTAL)


def keras_rates(schedule: Callable[[int], float]) -> NDArray[np.float32]:
    return np.array([float(schedule(step)) for step in range(TOTAL)], np.float32)


def test_constant_stays() -> None:
    assert np.array_equal(rates('{"name": "constant"}'), np.full(TOTAL, 0.5, np.float32))


def test_step_drops_at_the_listed_epochs_as_piecewise_constant_decay_of_keras() -> None:
    import keras

    # Keras' boundaries are the last steps of a value, not the first of the next.
    theirs = keras.optimizers.schedules.PiecewiseConstantDecay([29, 59], [0.5, 0.1, 0.02])
    ours = rates('{"name": "step", "factor": 0.2, "at_epochs": [3, 6]}')
    np.testing.assert_allclose(ours, keras_rates(theirs), rtol=1e-6)


def test_step_drops_every_so_many_epochs_as_the_staircase_of_keras() -> None:
    import keras

    theirs = keras.optimizers.schedules.ExponentialDecay(0.5, 4 * PER_EPOCH, 0.1, staircase=True)
    np.testing.assert_allclose(rates('{"name": "step", "every_epochs": 4}'), keras_rates(theirs), rtol=1e-6)


def test_exponential_is_that_of_keras() -> None:
    import keras

    theirs = keras.optimizers.schedules.ExponentialDecay(0.5, 25, 0.8)
    ours = rates('{"name": "exponential", "factor": 0.8, "epochs": 2.5}')
    np.testing.assert_allclose(ours, keras_rates(theirs), rtol=1e-5)


def test_inverse_time_is_that_of_keras() -> None:
    import keras

    theirs = keras.optimizers.schedules.InverseTimeDecay(0.5, 7, 0.3)
    np.testing.assert_allclose(
        rates('{"name": "inverse_time", "rate": 0.3, "steps": 7}'), keras_rates(theirs), rtol=1e-6
    )


@pytest.mark.parametrize(("warmup_epochs", "warmup_steps"), [(0, 0), (1.5, 15), (4, 40)])
def test_cosine_is_that_of_keras(warmup_epochs: float, warmup_steps: int) -> None:
    import keras

    theirs = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup_steps else 0.5,
        TOTAL - warmup_steps,
        alpha=0.1,
        warmup_target=0.5 if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
    ours = rates(f'{{"name": "cosine", "warmup_epochs": {warmup_epochs}, "final_fraction": 0.1}}')
    np.testing.assert_allclose(ours, keras_rates(theirs), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("steps_per_epoch", "fits"),
    [(None, True), (10, False), (100, True)],  # 9.96 epochs: 99.6 of 100 steps, rounded to 100; 996 of 1000
)
def test_a_warmup_is_judged_by_the_step_that_it_ends_with(steps_per_epoch: int | None, fits: bool) -> None:
    cosine = Cosine(name="cosine", warmup_epochs=9.96)
    assert (cosine.warmup_problem(10, steps_per_epoch) is None) == fits


def test_a_warmup_that_never_ends_is_refused() -> None:
    with pytest.raises(ImgclfError, match="warmup_epochs: must end before the stage does, after 10 epochs; got 10"):
        rates('{"name": "cosine", "warmup_epochs": 10}')


def test_one_cycle_rises_to_the_peak_and_falls_to_the_end() -> None:
    shape = (
        '{"name": "one_cycle", "peak_fraction": 0.25, "start_fraction": 0.1, "final_fraction": 0.02, "anneal": "%s"}'
    )
    steps = np.arange(TOTAL)
    linear = np.interp(steps, [0, 25, 100], [0.05, 0.5, 0.01])
    np.testing.assert_allclose(rates(shape % "linear"), linear, rtol=1e-6)
    # The cosine of the linear way from one corner to the next, by its share of the way.
    share = np.where(steps < 25, steps / 25, (steps - 25) / 75)
    bent = np.sin(np.pi / 2 * share) ** 2
    cosine = np.where(steps < 25, 0.05 + 0.45 * bent, 0.5 - 0.49 * bent)
    np.testing.assert_allclose(rates(shape % "cosine"), cosine, rtol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "constant"}', '{"name": "exponential"}', '{"name": "cosine"}', '{"name": "one_cycle"}',
        '{"name": "step", "every_epochs": 3}', '{"name": "inverse_time", "rate": 0.1}',
    ],
)  # fmt: skip
def test_learning_rates_do_not_depend_on_where_a_call_begins(text: str) -> None:
    running = read(text).start()
    parts = [running.learning_rates(0.5, first, 20, PER_EPOCH, TOTAL) for first in range(0, TOTAL, 20)]
    assert np.array_equal(np.concatenate(parts), rates(text))
    assert parts[0].dtype == np.float32
    running.observe({"loss": 1.0})
    running.restore(running.state())
    assert np.array_equal(running.learning_rates(0.5, 0, TOTAL, PER_EPOCH, TOTAL), rates(text))


def keras_plateau(losses: NDArray[np.float64], base: float, **settings: float | str) -> list[float]:
    import keras

    callback = keras.callbacks.ReduceLROnPlateau(monitor="loss", **settings)
    callback.set_model(SimpleNamespace(optimizer=SimpleNamespace(learning_rate=np.float32(base))))
    callback.on_train_begin()
    found = []
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"loss": loss})
        found.append(float(callback.model.optimizer.learning_rate))
    return found


@pytest.mark.parametrize("seed", range(10))
def test_reduce_on_plateau_drops_where_keras_does(seed: int) -> None:
    random = np.random.default_rng(seed)
    # Multiples of 1/64 are exact in float32, in which Keras compares.
    losses = random.integers(0, 64, 40) / 64 + np.linspace(1, 0, 40).round(1)
    losses = (losses * 64).round() / 64
    settings = {"factor": 0.5, "patience": int(random.integers(1, 4)), "cooldown": int(random.integers(0, 4))}
    settings |= {"min_delta": float(random.integers(0, 8)) / 64}
    minimum = 0.02 * (seed % 3)
    running = ReduceOnPlateau(name="reduce_on_plateau", monitor="loss", minimum=minimum, **settings).start()
    ours = []
    for loss in losses:
        running.observe({"loss": float(loss)})
        ours.append(running.learning_rates(0.4, 0, 1, PER_EPOCH, TOTAL)[0])
    theirs = keras_plateau(losses, 0.4, min_lr=minimum, mode="min", **settings)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert len(set(ours)) > 1


def test_reduce_on_plateau_goes_by_the_direction_of_its_metric() -> None:
    running = RunningPlateau(ReduceOnPlateau(name="reduce_on_plateau", monitor="validation_accuracy", patience=1))
    for accuracy in (0.5, 0.6, 0.7):
        running.update(accuracy)
    assert running.multiplier == 1
    running.update(0.65)
    assert running.multiplier == pytest.approx(0.1)


def test_reduce_on_plateau_goes_on_from_its_state() -> None:
    settings = ReduceOnPlateau(name="reduce_on_plateau", monitor="loss", patience=2, cooldown=1)
    losses = [1.0, 1.0, 1.0, 1.0, 0.5, 0.6, 0.7, 0.8]
    whole, first, second = RunningPlateau(settings), RunningPlateau(settings), RunningPlateau(settings)
    for loss in losses:
        whole.update(loss)
    for loss in losses[:3]:
        first.update(loss)
    second.restore(first.state())
    for loss in losses[3:]:
        second.update(loss)
    assert second.state() == whole.state()
    assert whole.multiplier == pytest.approx(0.01)


def test_a_metric_that_is_not_measured_is_named() -> None:
    running = read('{"name": "reduce_on_plateau"}').start()
    with pytest.raises(ImgclfError, match=r"schedule.monitor: must be .* \(accuracy, loss\); got validation_loss"):
        running.observe({"loss": 1.0, "accuracy": 0.5})


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ('{"name": "step"}', ("schedule", "step")),
        ('{"name": "step", "every_epochs": 2, "at_epochs": [1]}', ("schedule", "step")),
        ('{"name": "step", "at_epochs": [3, 2]}', ("schedule", "step")),
        ('{"name": "step", "at_epochs": [1.5]}', ("schedule", "step", "at_epochs", 0)),
        ('{"name": "step", "factor": 1, "every_epochs": 1}', ("schedule", "step", "factor")),
        ('{"name": "inverse_time"}', ("schedule", "inverse_time", "rate")),
        ('{"name": "one_cycle", "peak_fraction": 1}', ("schedule", "one_cycle", "peak_fraction")),
        ('{"name": "cosine", "warmup": 1}', ("schedule", "cosine", "warmup")),
        ('{"name": "cosin"}', ("schedule",)),
    ],
)
def test_a_mistake_is_reported_where_it_stands(text: str, location: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        read(text)
    assert [error["loc"] for error in caught.value.errors()] == [location]


def test_every_setting_is_described() -> None:
    for settings in get_args(get_args(ScheduleUnion)[0]):
        assert [key for key, field in settings.model_fields.items() if not field.description] == []
