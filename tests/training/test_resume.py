"""A run that goes on from any of its checkpoints ends as if it had never been cut off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imgclf.datasets.base import ArrayPixels
from imgclf.errors import ImgclfError
from imgclf.models.simple_cnn import SimpleCnn
from imgclf.runs.checkpoint_format import Checkpoint, read_checkpoint
from imgclf.runs.checkpoints import write_checkpoint
from imgclf.training.checkpoint import Variables, restore, states
from imgclf.training.loop import fit
from imgclf.training.progress import Outcome, Since
from imgclf.training.schedules import ReduceOnPlateau
from imgclf.training.step import ChunkResult
from imgclf.training.stopping import EarlyStopping, EarlyStoppingSettings
from imgclf.training.task import Images, Stored, Task

MakeTask = Callable[..., Task]
NETWORK = SimpleCnn(
    name="simple_cnn", blocks=((2,),), batch_norm=True, block_dropout=0.2, flatten_dropout=0.0, dense_units=(4,)
)
STAGES = (
    {"trainable": "head", "epochs": 1},
    {
        "epochs": 4,
        "augmentation": ({"name": "shift", "pixels": 1},),
        "weight_average": {"decay": 0.9},
        "schedule": {"name": "reduce_on_plateau", "patience": 1, "min_delta": 0.5, "factor": 0.5},
        "early_stopping": {"patience": 2, "min_delta": 0.01, "monitor": "validation_accuracy"},
    },
)


@dataclass
class Keeper:
    """An observer that keeps every checkpoint on the disk, with the best weights of that moment."""

    folder: Path
    best: list[np.ndarray] = field(default_factory=list)
    kept: list[tuple[Checkpoint, list[np.ndarray]]] = field(default_factory=list)
    needed: list[int] = field(default_factory=list)

    def progressed(self, *_: Any) -> None: ...

    def measured(self, *_: Any) -> None: ...

    def save_last(self, *_: Any) -> None: ...

    def summarise(self, *_: Any) -> None: ...

    def save_best(self, model: Any) -> None:
        self.best = model.get_weights()

    def load_best(self, model: Any) -> None:
        model.set_weights(self.best)

    def interrupted(self) -> bool:
        return False

    def checkpoint(self, step: int, saved: Any, needed: bool) -> None:
        if needed:
            self.needed.append(step)
        path = write_checkpoint(self.folder / str(len(self.kept)), step, "", saved, {}, lambda *_: None)
        self.kept.append((read_checkpoint(path), self.best))


def bits(model: Any) -> bytes:
    return b"".join(array.tobytes() for array in model.get_weights())


def staged(make_task: MakeTask, **training: Any) -> Task:
    """Two stages, the first on stored features; with whatever has a state or draws random numbers."""
    task = make_task(NETWORK, optimizer={"name": "adam", "learning_rate": 0.02}, stages=STAGES, **training)
    assert task.validation is not None
    stored = Stored(*(features(task, images) for images in (task.train, task.validation)))
    return replace(task, stored={0: stored})


def features(task: Task, images: Images) -> Images:
    pixels = images.pixels.take(np.arange(len(images.labels)))
    return Images(ArrayPixels(task.body.predict(pixels / 255, verbose=0)), images.labels)


@pytest.mark.slow  # trains a network once from each of its checkpoints
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_from_every_checkpoint_the_rest_is_the_same_bit_for_bit(
    make_task: MakeTask, tmp_path: Path, precision: str
) -> None:
    training = {"precision": precision, "checkpoint_every_steps": 3, "steps_per_call": 2, "validate_every": 5}
    task, keeper = staged(make_task, **training), Keeper(tmp_path / "peace")
    outcome = fit(task, keeper)
    assert outcome.stopped, "the task is made to stop early, in its second stage"
    assert len(keeper.kept) > 6
    for number, (checkpoint, best) in enumerate(keeper.kept):
        again = staged(make_task, **training)
        resumed = fit(again, Keeper(tmp_path / str(number), best), checkpoint.states)
        assert resumed == outcome, f"after step {checkpoint.step}"
        assert bits(again.model) == bits(task.model), f"after step {checkpoint.step}"


def test_a_run_made_longer_is_one_that_was_long_from_the_start(make_task: MakeTask, tmp_path: Path) -> None:
    short, long = Keeper(tmp_path / "short"), make_task(NETWORK, epochs=4)
    fit(make_task(NETWORK, epochs=2), short)
    rows = fit(long, Keeper(tmp_path / "long")).history
    longer = make_task(NETWORK, epochs=4)
    assert fit(longer, Keeper(tmp_path / "longer"), short.kept[-1][0].states).history == rows
    assert bits(longer.model) == bits(long.model)


def test_checkpoints_come_at_epochs_ends_at_every_so_many_steps_and_at_the_stages_end(
    make_task: MakeTask, tmp_path: Path
) -> None:
    keeper = Keeper(tmp_path)  # an epoch has 4 steps
    fit(make_task(epochs=None, steps=10, checkpoint_every_steps=3), keeper)
    assert [checkpoint.step for checkpoint, _ in keeper.kept] == [3, 4, 6, 8, 9, 10]
    assert keeper.needed == [3, 6, 9, 10]


def test_an_interrupted_run_writes_a_checkpoint_after_the_chunk(make_task: MakeTask, tmp_path: Path) -> None:
    class Interrupted(Keeper):
        def interrupted(self) -> bool:
            return True

        def checkpoint(self, step: int, saved: Any, needed: bool) -> None:
            super().checkpoint(step, saved, needed)
            raise KeyboardInterrupt

    keeper = Interrupted(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fit(make_task(steps_per_call=3), keeper)
    assert [checkpoint.step for checkpoint, _ in keeper.kept] == [3]


def through_disk(part: Any, folder: Path) -> Any:
    path = write_checkpoint(folder, 1, "", {"part": part.state()}, {}, lambda *_: None)
    return read_checkpoint(path).states["part"]


def test_early_stopping_goes_on_as_it_was(tmp_path: Path) -> None:
    settings = EarlyStoppingSettings(patience=2, monitor="loss")
    one, other = EarlyStopping(settings), EarlyStopping(settings)
    for loss in (3.0, 2.0, 2.5):
        one.update({"loss": loss})
    other.restore(through_disk(one, tmp_path))
    assert (other.best, other.stop) == (2.0, False)
    other.update({"loss": 2.5})
    assert other.stop


def test_early_stopping_that_has_seen_nothing_goes_on_as_new(tmp_path: Path) -> None:
    one, other = EarlyStopping(EarlyStoppingSettings()), EarlyStopping(EarlyStoppingSettings())
    other.restore(through_disk(one, tmp_path))
    assert other.best is None


def test_a_plateau_goes_on_as_it_was(tmp_path: Path) -> None:
    settings = ReduceOnPlateau(name="reduce_on_plateau", patience=2, factor=0.5, monitor="loss")
    one, other = settings.start(), settings.start()
    for loss in (1.0, 1.0):
        one.observe({"loss": loss})
    other.restore(through_disk(one, tmp_path))
    assert other.learning_rates(1.0, 0, 1, 1, 1).tolist() == [1.0]
    other.observe({"loss": 1.0})
    assert other.learning_rates(1.0, 0, 1, 1, 1).tolist() == [0.5]


def test_sums_since_the_last_row_go_on(tmp_path: Path) -> None:
    one, other = Since(), Since()
    one.add(ChunkResult(1, 1, 0.1, 0.0, True))
    other.restore(through_disk(one, tmp_path))
    other.add(ChunkResult(3, 3, 0.5, 1.0, True))
    assert other.take() == {"loss": (0.1 + 1.5) / 4, "accuracy": 0.75}


def test_an_outcome_goes_on_with_its_rows(tmp_path: Path) -> None:
    one, other = (
        Outcome(history=[{"epoch": 1, "loss": 0.1, "validation_loss": None}], steps=7, stopped=["a"]),
        Outcome(),
    )
    one.stage, one.epochs, one.steps_before = 1, 2, 4
    other.restore(through_disk(one, tmp_path))
    assert (other, other.stage, other.epochs, other.done) == (one, 1, 2, 3)


@pytest.mark.parametrize("stage", [0, 1])
def test_an_outcome_goes_on_knowing_which_stage_stopped_early(tmp_path: Path, stage: int) -> None:
    one, other = Outcome(), Outcome()
    one.stop("a")
    one.stage = stage
    other.restore(through_disk(one, tmp_path))
    assert other.stopped_early == (stage == 0)


def test_variables_of_another_shape_type_or_number_are_refused_and_unchanged(tmp_path: Path) -> None:
    import tensorflow as tf

    saved = through_disk(Variables([tf.Variable([1.0, 2.0], name="a")]), tmp_path)
    for others, message in (
        ([tf.Variable([0.0], name="a")], r"0 a:0 must be float32 \(1,\); found float32 \(2,\)"),
        ([tf.Variable([0, 0], name="a")], r"must be int32 \(2,\); found float32 \(2,\)"),
        ([tf.Variable([0.0, 0.0], name="a"), tf.Variable(0.0, name="b")], "1 b:0 must be .* found nothing"),
        ([], "0 a:0 is unknown"),
    ):
        with pytest.raises(ImgclfError, match=message):
            Variables(others).restore(saved)
        assert all(not np.any(one.numpy()) for one in others)
    same = tf.Variable([0.0, 0.0], name="a")
    Variables([same]).restore(saved)
    assert same.numpy().tolist() == [1.0, 2.0]


def test_parts_must_be_those_that_were_saved() -> None:
    parts = {"since": Since()}
    with pytest.raises(ImgclfError, match="must hold since; found average, since"):
        restore(parts, {**states(parts), "average": {}})
