"""The job `verify-resume`: a run that is killed again and again must end as one that was left in peace."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from imgclf.errors import ImgclfError
from imgclf.experiment.load import load_experiment
from imgclf.killed_training import Kill, Training
from imgclf.models.classical_heads import ClassicalHead
from imgclf.places import runs_folder
from imgclf.runs.checkpoint_format import Checkpoint, StoredArray, read_checkpoint
from imgclf.runs.checkpoints import list_checkpoints
from imgclf.runs.files import sha256_of
from imgclf.runs.folder import RunFolder, new_folder
from imgclf.runs.weights import array_digests
from imgclf.screen import Screen, Silent
from imgclf.training.devices import DeviceChoice
from imgclf.transfer import settled_run

CHECKPOINT_STEPS = 10  # at most, between two checkpoints: a run that is killed often must come on
FIRST_ARRAYS = 4  # a checkpoint has as many, of however small a network
DELAY_SECONDS = 0.2  # at most, from a step to the kill, which so falls into anything that a run does


@dataclass(frozen=True)
class Compared:
    """Something that both runs have left: how much of it, and in what it differs (None: in nothing)."""

    what: str
    size: str
    difference: str | None


@dataclass(frozen=True)
class Verdict:
    """What was compared after so many ``kills`` in so many ``steps``; the runs are in ``folder`` where they differ."""

    compared: tuple[Compared, ...]
    kills: int
    steps: int
    folder: Path

    @property
    def same(self) -> bool:
        """Whether everything is."""
        return all(one.difference is None for one in self.compared)


def verify_resume(
    config: str,
    kills: int,
    *,
    overrides: Sequence[str] = (),
    device: DeviceChoice | None = None,
    data_dir: str | Path | None = None,
    runs_dir: str | Path | None = None,
    screen: Screen | None = None,
) -> Verdict:
    """Train the experiment in peace, then once more with ``kills`` SIGKILLs (seeded), and compare what both leave.

    Raises ImgclfError where the input is wrong, which leaves nothing, WorkFailed where a training fails for another
    reason.
    """
    screen, loaded = screen or Silent(), load_experiment(config, overrides)
    if isinstance(loaded.experiment.model.head, ClassicalHead):
        head = loaded.experiment.model.head.name
        raise ImgclfError(f"{config}: the head {head} is fitted at once: there is nothing to go on with")
    overrides = (*overrides, *settled_run(config, overrides, runs_folder(runs_dir)))
    every = min(loaded.experiment.training.checkpoint_every_steps or CHECKPOINT_STEPS, CHECKPOINT_STEPS)
    folder = new_folder(runs_folder(runs_dir), f"verify-resume-{loaded.name}", f"-{datetime.now():%Y%m%d-%H%M%S}")
    overrides = (*overrides, f"training.checkpoint_every_steps={every}")
    training = Training(config, overrides, device, data_dir, folder)
    screen.say(f"runs    {folder}, a checkpoint every {every} steps")
    with _removed_unless_it_failed(folder):
        return _verified(training, config, kills, loaded.experiment.seed, screen)


def draw_kills(count: int, steps: int, seed: int) -> list[Kill]:
    """Kills at different steps of a run, in order, every other one in a checkpoint; as many as there are steps for."""
    numbers = np.random.Generator(np.random.Philox(key=[seed, count]))
    drawn = np.sort(numbers.choice(np.arange(1, steps), min(count, steps - 1), replace=False))
    return [
        Kill(int(step), int(numbers.integers(1, FIRST_ARRAYS + 1)), 0.0)
        if place % 2
        else Kill(int(step), None, float(numbers.uniform(0, DELAY_SECONDS)))
        for place, step in enumerate(drawn)
    ]


def compare_runs(first: RunFolder, second: RunFolder) -> Iterator[Compared]:
    """What two finished runs have left, bit for bit: metrics, report, answers, weights, and the last checkpoint."""
    for path in (first.metrics, first.report, *sorted(first.path.glob("answers*.csv"))):
        other = second.path / path.name
        same = other.is_file() and sha256_of(path) == sha256_of(other)
        yield Compared(path.name, f"{path.stat().st_size:,} bytes", None if same else "other bytes")
    for weights in (first.best_weights, first.last_weights):
        mine, others = (array_digests(one) for one in (weights, second.path / "weights" / weights.name))
        yield Compared(f"weights/{weights.name}", f"{len(mine)} arrays", _first_difference(mine, others))
    mine, others = (_digests(read_checkpoint(list_checkpoints(run.checkpoints)[-1])) for run in (first, second))
    yield Compared(
        "the last checkpoint", f"{len(mine)} arrays and numbers, also the optimizer's", _first_difference(mine, others)
    )


def _verified(training: Training, config: str, kills: int, seed: int, screen: Screen) -> Verdict:
    training.run("peaceful")
    peaceful = _found(training, "peaceful")
    steps = int(peaceful.record()["steps"])
    if steps < 2:
        raise ImgclfError(f"{config}: trains in {steps} steps; there is nothing to go on with")
    screen.say(f"peaceful: {steps:,} steps")
    killed = _train_killed(training, draw_kills(kills, steps, seed), screen)
    compared = tuple(compare_runs(peaceful, _found(training, "killed")))
    verdict = Verdict(compared, killed, steps, training.folder)
    if verdict.same:
        shutil.rmtree(training.folder)
    return verdict


@contextmanager
def _removed_unless_it_failed(folder: Path) -> Iterator[None]:
    """What a failure leaves is kept to be looked at; wrong input and Ctrl-C leave nothing."""
    try:
        yield
    except BaseException as error:
        is_wrong_input = isinstance(error, ImgclfError) and error.exit_status == ImgclfError.exit_status
        if is_wrong_input or not isinstance(error, Exception):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _train_killed(training: Training, kills: Sequence[Kill], screen: Screen) -> int:
    """Train the run that is killed, to its end; how often it was."""
    killed, finished = 0, False
    for kill in kills:
        finished = training.run("killed", kill)
        if finished:
            break
        killed += 1
        screen.say(f"killed  {kill.text()}, goes on from {_newest(training)}")
    if not finished:
        training.run("killed")
    return killed


def _newest(training: Training) -> str:
    found = list_checkpoints(_found(training, "killed").checkpoints)
    return found[-1].name if found else "the start"


def _found(training: Training, name: str) -> RunFolder:
    run = training.find(name)
    assert run is not None
    return run


def _first_difference(first: dict[str, str], second: dict[str, str]) -> str | None:
    differing = [name for name in {**first, **second} if first.get(name) != second.get(name)]
    return f"{len(differing)} differ, first {differing[0]}" if differing else None


def _digests(checkpoint: Checkpoint) -> dict[str, str]:
    return {
        f"{part}/{name}": value.sha256 if isinstance(value, StoredArray) else repr(value)
        for part, state in checkpoint.states.items()
        for name, value in state.items()
    } | {name: digest for path in checkpoint.files.values() for name, digest in array_digests(path).items()}
