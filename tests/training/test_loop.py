from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from imgclf.augmentation.shift import Shift
from imgclf.inference import Forward
from imgclf.models.mlp import Mlp
from imgclf.models.simple_cnn import SimpleCnn
from imgclf.training.loop import fit
from imgclf.training.progress import Outcome
from imgclf.training.task import Task

MakeTask = Callable[..., Task]
Digest = Callable[[Any], str]
STEPS = 4  # of an epoch: 70 images, batches of 16
SHIFTS = (Shift(name="shift"),)
ADAM = {"name": "adam", "learning_rate": 0.05}
DROPPING = Mlp(name="mlp", dense_units=(8, 8), dropout=0.5)
NORMALISING = SimpleCnn(name="simple_cnn", blocks=((2,),), batch_norm=True, flatten_dropout=0.0, dense_units=())


@pytest.fixture(scope="module")
def reference(make_task: MakeTask, sha256: Digest) -> str:
    """The weights of a run with everything that draws random numbers."""
    task = make_task(DROPPING, augmentations=SHIFTS, optimizer=ADAM)
    fit(task, Ignoring())
    return sha256(task.model)


class Ignoring:
    """An observer that asks for nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


@pytest.mark.parametrize("steps_per_call", [3, 1, 64])
def test_the_same_task_gives_the_same_bits_whatever_the_length_of_a_call(
    make_task: MakeTask, sha256: Digest, reference: str, steps_per_call: int
) -> None:
    task = make_task(DROPPING, augmentations=SHIFTS, optimizer=ADAM, steps_per_call=steps_per_call)
    fit(task, Ignoring())
    assert sha256(task.model) == reference


def test_another_seed_gives_other_weights(make_task: MakeTask, sha256: Digest, reference: str) -> None:
    task = make_task(DROPPING, augmentations=SHIFTS, optimizer=ADAM, seed=1)
    fit(task, Ignoring())
    assert sha256(task.model) != reference


@pytest.mark.parametrize(("of_the_experiment", "of_the_stage"), [((), SHIFTS), (SHIFTS, ()), (SHIFTS, None)])
def test_a_stages_own_augmentation_takes_the_place_of_the_experiments(
    make_task: MakeTask, sha256: Digest, of_the_experiment: tuple[Shift, ...], of_the_stage: tuple[Shift, ...] | None
) -> None:
    used = of_the_experiment if of_the_stage is None else of_the_stage
    plain = make_task(augmentations=used, epochs=1)
    stages = ({"epochs": 1, "augmentation": of_the_stage},)
    staged = make_task(augmentations=of_the_experiment, stages=stages)
    for task in (plain, staged):
        fit(task, Ignoring())
    assert sha256(staged.model) == sha256(plain.model)


def test_a_row_is_measured_after_each_epoch(make_task: MakeTask, watcher: Any) -> None:
    task = make_task(epochs=3, optimizer=ADAM)
    outcome = fit(task, watcher)
    assert outcome.history == watcher.rows
    assert [(row["epoch"], row["step"], row["stage"]) for row in watcher.rows] == [(1, 4, 1), (2, 8, 1), (3, 12, 1)]
    assert [row["learning_rate"] for row in watcher.rows] == [pytest.approx(0.05)] * 3
    assert watcher.rows[-1]["loss"] < watcher.rows[0]["loss"]
    assert watcher.rows[-1]["validation_accuracy"] > 0.9
    assert watcher.progress[-1] == (12, 12)


def test_validation_is_of_the_whole_model_on_all_validation_images(make_task: MakeTask, watcher: Any) -> None:
    import keras

    task = make_task(DROPPING, epochs=1)
    row = fit(task, watcher).history[-1]
    assert task.validation is not None
    images = task.validation.pixels.take(np.arange(20)).astype(np.float32) / 255
    probabilities = keras.ops.softmax(task.model(images, training=False)).numpy()
    labels = task.validation.labels[:, 0]
    assert row["validation_accuracy"] == np.mean(probabilities.argmax(axis=1) == labels)
    assert row["validation_loss"] == pytest.approx(-np.mean(np.log(probabilities[np.arange(20), labels])), rel=1e-5)


def test_validating_every_so_many_steps_gives_rows_there_and_at_the_end(make_task: MakeTask, watcher: Any) -> None:
    fit(make_task(epochs=None, steps=10, validate_every=3, steps_per_call=64), watcher)
    assert [row["step"] for row in watcher.rows] == [3, 6, 9, 10]
    assert [row["epoch"] for row in watcher.rows] == [0.75, 1.5, 2.25, 2.5]


def test_without_validation_the_rows_hold_the_training_only(make_task: MakeTask, watcher: Any) -> None:
    fit(make_task(validation=0), watcher)
    assert len(watcher.rows) == 2
    assert {(row["validation_loss"], row["validation_accuracy"]) for row in watcher.rows} == {(None, None)}
    assert watcher.best == []


def test_the_training_loss_of_a_row_is_the_mean_over_its_steps(make_task: MakeTask, watcher: Any) -> None:
    singly: Any = type(watcher)()
    fit(make_task(epochs=1, validate_every=1), singly)
    fit(make_task(epochs=1, steps_per_call=3), watcher)
    assert len(singly.rows) == STEPS
    for name in ("loss", "accuracy"):
        assert watcher.rows[0][name] == pytest.approx(np.mean([row[name] for row in singly.rows]), rel=1e-6)


def test_early_stopping_goes_back_to_the_weights_of_the_best_row(make_task: MakeTask, watcher: Any) -> None:
    stopping = {"monitor": "validation_loss", "patience": 2}
    rate = {"name": "sgd", "learning_rate": 30.0}  # so high that the loss goes up and down
    outcome = fit(make_task(epochs=30, optimizer=rate, early_stopping=stopping, clip_norm=1.0), watcher)
    losses = [row["validation_loss"] for row in watcher.rows]
    best = int(np.argmin(losses))
    assert len(losses) == best + 3
    assert watcher.restored
    assert watcher.best_step == watcher.rows[best]["step"]
    assert not all(np.array_equal(*pair) for pair in zip(watcher.best, watcher.last, strict=True))
    assert outcome.stopped == [
        f"stopped early after epoch {best + 3} of 30: validation_loss did not improve on {losses[best]:g} in 2 "
        "validations; the best weights, from before that, are restored"
    ]


@pytest.mark.parametrize("stopping", [0, 1])
def test_a_run_stopped_early_where_its_last_stage_did(make_task: MakeTask, watcher: Any, stopping: int) -> None:
    still = {"epochs": 3, "optimizer": {"name": "sgd", "learning_rate": 1e-9}}
    stages: list[dict[str, Any]] = [still, still]
    stages[stopping] = {**still, "early_stopping": {"monitor": "loss", "min_delta": 9.0, "patience": 1}}
    outcome = fit(make_task(epochs=None, stages=tuple(stages)), watcher)
    assert len(watcher.rows) == 2 + 3
    assert len(outcome.stopped) == 1
    assert outcome.stopped_early == (stopping == 1)


def test_the_model_holds_the_best_weights_at_the_end_where_it_is_asked_for(make_task: MakeTask, watcher: Any) -> None:
    for restore in (True, False):
        watcher.__init__()
        stopping = {"monitor": "validation_accuracy", "baseline": 1.0, "patience": 2, "restore_best_weights": restore}
        task = make_task(epochs=5, optimizer={"name": "sgd", "learning_rate": 1e-9}, early_stopping=stopping)
        outcome = fit(task, watcher)
        held = watcher.best if restore else watcher.last
        assert outcome.stopped
        assert watcher.restored == restore
        assert all(np.array_equal(*pair) for pair in zip(task.model.get_weights(), held, strict=True))


def test_early_stopping_ignores_epochs_at_the_start_not_rows(make_task: MakeTask, watcher: Any) -> None:
    # At this learning rate nothing changes: the first row that counts is the best one.
    stopping = {"start_from_epoch": 2, "patience": 3}
    rate = {"name": "sgd", "learning_rate": 1e-30}
    fit(make_task(epochs=9, optimizer=rate, early_stopping=stopping, validate_every=2), watcher)
    assert watcher.best_step == 10  # the first two epochs end with step 8
    assert watcher.rows[-1]["step"] == 16


def test_early_stopping_works_within_the_first_epoch(make_task: MakeTask, watcher: Any) -> None:
    rate = {"name": "sgd", "learning_rate": 1e-30}
    fit(make_task(epochs=9, optimizer=rate, early_stopping={"patience": 2}, validate_every=1), watcher)
    assert [row["step"] for row in watcher.rows] == [1, 2, 3]


def test_reduce_on_plateau_lowers_the_learning_rate_of_the_rows(make_task: MakeTask, watcher: Any) -> None:
    schedule = {"name": "reduce_on_plateau", "factor": 0.5, "patience": 2, "min_delta": 100.0}
    fit(make_task(epochs=6, optimizer={"name": "sgd", "learning_rate": 0.08}, schedule=schedule), watcher)
    # The first row sets the mark, and none after it is better by 100.
    rates = [row["learning_rate"] for row in watcher.rows]
    assert rates == pytest.approx([0.08, 0.08, 0.08, 0.04, 0.04, 0.02])


def test_a_schedule_is_followed_step_by_step(make_task: MakeTask, watcher: Any) -> None:
    schedule = {"name": "cosine", "warmup_epochs": 1.0}
    fit(make_task(epochs=3, schedule=schedule, optimizer={"name": "sgd", "learning_rate": 1.0}), watcher)
    # The last steps of the epochs are 3, 7 and 11; the warm-up takes 4 steps, the fall 8.
    wanted = [3 / 4, (1 + np.cos(np.pi * 3 / 8)) / 2, (1 + np.cos(np.pi * 7 / 8)) / 2]
    assert [row["learning_rate"] for row in watcher.rows] == pytest.approx(wanted)


def test_stages_follow_each_other_each_with_an_optimizer_of_its_own(make_task: MakeTask, watcher: Any) -> None:
    plain = {"name": "sgd", "learning_rate": 0.1}
    momentum = {**plain, "momentum": 0.9}
    both, from_rest = (
        make_task(stages=({"optimizer": momentum, "epochs": 1}, {"optimizer": second, "steps": 1}))
        for second in (momentum, plain)
    )
    fit(both, watcher)
    assert [(row["stage"], row["step"], row["epoch"]) for row in watcher.rows] == [(1, 4, 1), (2, 5, 1.25)]
    assert watcher.progress == [(3, 5), (4, 5), (5, 5)]  # over all stages
    # The second stage's first step knows nothing of the first one's velocity.
    fit(from_rest, Ignoring())
    for one, other in zip(both.model.get_weights(), from_rest.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_what_a_stage_leaves_out_is_taken_from_training(make_task: MakeTask) -> None:
    task = make_task(
        batch_size=10,
        label_smoothing=0.1,
        optimizer={"name": "sgd"},
        stages=(
            {"trainable": "head", "epochs": 1},
            {"optimizer": {"name": "adam"}, "steps": 5, "label_smoothing": 0.0},
        ),
    )
    first, second = task.stages
    assert (first.batch_size, first.label_smoothing, first.optimizer.name, first.epochs) == (10, 0.1, "sgd", 1)
    assert (second.batch_size, second.label_smoothing, second.optimizer.name) == (10, 0.0, "adam")
    assert (second.epochs, second.steps, second.trainable) == (None, 5, "all")


def test_training_the_head_leaves_the_body_bit_for_bit(make_task: MakeTask) -> None:
    model = NORMALISING.model_copy(update={"dense_units": (4,), "dense_dropout": 0.0})
    task = make_task(model, trainable="head", optimizer={"name": "adam", "weight_decay": 0.1})
    before = {variable.path: variable.numpy() for variable in task.model.variables}
    fit(task, Ignoring())
    changed = {
        variable.path for variable in task.model.variables if not np.array_equal(variable, before[variable.path])
    }
    assert changed == {"logits_class/kernel", "logits_class/bias"}


def test_the_body_is_trained_again_in_a_later_stage(make_task: MakeTask) -> None:
    task = make_task(stages=({"trainable": "head", "epochs": 1}, {"epochs": 1}))
    before = task.model.get_weights()
    fit(task, Ignoring())
    assert not any(np.array_equal(*pair) for pair in zip(before, task.model.get_weights(), strict=True))


@pytest.mark.parametrize("steps_per_call", [1, 64])
def test_a_loss_that_is_not_finite_ends_the_run_with_the_weights_before_that_step(
    make_task: MakeTask, watcher: Any, steps_per_call: int
) -> None:
    # The first update makes weights of about 1e28, whose products overflow in the second step.
    running_away = {"name": "sgd", "learning_rate": 1e30}
    model = Mlp(name="mlp", dense_units=(8, 8))
    task = make_task(model, optimizer=running_away, steps_per_call=steps_per_call, validate_every=1)
    outcome = fit(task, watcher)
    one = make_task(model, optimizer=running_away, epochs=None, steps=1)
    fit(one, Ignoring())
    assert outcome == Outcome(history=watcher.rows, steps=1, not_finite=(2, 1))
    for held, last, wanted in zip(task.model.get_weights(), watcher.last, one.model.get_weights(), strict=True):
        assert np.isfinite(held).all()
        assert np.array_equal(held, wanted)
        assert np.array_equal(last, wanted)


def test_moving_statistics_that_overflow_end_the_run_too(make_task: MakeTask, watcher: Any) -> None:
    # A batch's variance is the first number to overflow; normalised by it, the loss itself stays finite.
    task = make_task(NORMALISING, optimizer={"name": "sgd", "learning_rate": 1e30}, validation=0)
    outcome = fit(task, watcher)
    assert outcome.not_finite == (outcome.steps + 1, 1)
    assert all(np.isfinite(weights).all() for weights in task.model.get_weights())


def test_after_a_loss_that_is_not_finite_no_further_stage_begins_and_nothing_is_restored(
    make_task: MakeTask, watcher: Any
) -> None:
    stages = ({"epochs": 1, "optimizer": {"name": "sgd", "learning_rate": 1e30}, "early_stopping": {}}, {"epochs": 1})
    task = make_task(Mlp(name="mlp", dense_units=(8, 8)), stages=stages, validate_every=1)
    outcome = fit(task, watcher)
    assert outcome.not_finite == (2, 1)
    assert not watcher.restored
    assert {row["stage"] for row in watcher.rows} <= {1}


def test_outputs_that_are_not_finite_in_validation_are_no_value(make_task: MakeTask, watcher: Any) -> None:
    task = make_task(
        Mlp(name="mlp", dense_units=(8, 8)), optimizer={"name": "sgd", "learning_rate": 1e30}, epochs=None, steps=1
    )
    outcome = fit(task, watcher)
    assert outcome.not_finite is None
    assert np.isnan(watcher.rows[-1]["validation_loss"])
    assert np.isnan(watcher.rows[-1]["validation_accuracy"])
    assert watcher.best == []


def test_summaries_are_due_every_so_many_steps_of_each_stage(make_task: MakeTask, watcher: Any) -> None:
    stages = ({"steps": 5}, {"steps": 6})
    fit(make_task(stages=stages, tensorboard={"summaries_every": 3}, steps_per_call=64), watcher)
    assert watcher.summarised == [0, 3, 5, 8]


def test_summaries_change_nothing(make_task: MakeTask, sha256: Digest, reference: str) -> None:
    from imgclf.training.inspection import inspect

    class Inspecting(Ignoring):
        def summarise(self, step: Any, chunk: Any) -> None:
            assert inspect(step, chunk)

    settings = {"tensorboard": {"summaries_every": 2}}
    task = make_task(DROPPING, augmentations=SHIFTS, optimizer=ADAM, **settings)
    fit(task, Inspecting())
    assert sha256(task.model) == reference


def test_the_weights_after_training_are_those_that_validation_saw(make_task: MakeTask, watcher: Any) -> None:
    task = make_task(NORMALISING)
    row = fit(task, watcher).history[-1]
    assert task.validation is not None
    logits = Forward(task.model, task.preprocessing.apply).logits(task.validation.pixels)[0]
    assert row["validation_accuracy"] == np.mean(logits.argmax(axis=1) == task.validation.labels[:, 0])
