"""What the program writes, each as a small piece of work in a folder of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import h5py
import numpy as np

from imgclf.recording import _put_back_best
from imgclf.runs.arrays import save_arrays
from imgclf.runs.checkpoint_format import Checkpoint
from imgclf.runs.checkpoints import newest_sound, write_checkpoint
from imgclf.runs.files import remove_unfinished, replacing_folder, write_whole
from imgclf.runs.folder import RunFolder
from imgclf.runs.weights import save_weights

Tree = Mapping[str, bytes | None]  # what lies in a folder, by its path; None for a folder
VALUES = {1: 0.5, 2: -1.25, 3: 3.0}
ROW = {"epoch": 1, "step": 40, "stage": 1, "learning_rate": 0.1, "loss": 0.5, "accuracy": 0.75}


def tree_of(folder: Path, *, hidden: bool = True) -> Tree:
    """All that lies in a folder; without ``hidden``, what a user and every reader of the program sees."""
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*"))}
    return {
        name: None if path.is_dir() else path.read_bytes()
        for name, path in found.items()
        if hidden or not any(part.startswith(".") for part in Path(name).parts)
    }


@dataclass(frozen=True)
class Work:
    """``prepare`` a folder, then ``run``; ``recover`` is what the program does before it goes on after a crash.

    ``between`` are trees that may also be seen in the middle, from those before and after. ``judge`` raises where what
    is loaded from the folder is not right.
    """

    name: str
    prepare: Callable[[Path], None]
    run: Callable[[Path], object]
    recover: Callable[[Path], object]
    judge: Callable[[Path], None]
    between: Callable[[Tree, Tree], list[Tree]] = lambda *_: []
    hides: bool = False  # what is visible in the middle is right only after ``recover``
    tells: tuple[str, ...] = ()  # what a message must name, one of these


def states(step: int, value: float) -> dict[str, dict[str, Any]]:
    """An array that is larger than any buffer, a small one, and numbers."""
    large = np.full((64, 64), value, np.float32)
    return {"model": {"kernel": large, "bias": np.arange(3) + step}, "run": {"steps": step, "best": value}}


def write(folder: Path, step: int, value: float) -> Path:
    """A checkpoint, with a file of the run."""
    return write_checkpoint(
        folder / "checkpoints", step, "digest", states(step, value), {"best.h5": folder / "best.h5"}, lambda *_: None
    )


def write_without_links(folder: Path, step: int) -> None:
    """As on a file system that has no links."""
    with patch.object(os, "link", side_effect=OSError(95, os.strerror(95))):
        write(folder, step, VALUES[step])


def with_steps(*steps: int) -> Callable[[Path], None]:
    """Prepares checkpoints of these steps."""

    def prepare(folder: Path) -> None:
        (folder / "best.h5").write_bytes(b"best weights" * 1000)
        for step in steps:
            write(folder, step, VALUES[step])

    return prepare


def newest(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint; nothing may be reported as damaged."""
    said: list[str] = []
    found = newest_sound(folder / "checkpoints", said.append)
    assert said == []
    return found


def judge_newest(*allowed: tuple[int, float] | None) -> Callable[[Path], None]:
    """The newest checkpoint must be one of these steps, with all that was written then."""

    def judge(folder: Path) -> None:
        found = newest(folder)
        if found is None:
            assert None in allowed
            return
        numbers = found.states["run"]
        step, value = numbers["steps"], numbers["best"]
        assert (step, value) in allowed
        assert found.step == step
        for name, array in states(step, value)["model"].items():
            loaded = found.states["model"][name].load()
            assert (loaded.dtype, loaded.shape, loaded.tobytes()) == (array.dtype, array.shape, array.tobytes())
        assert found.files["best.h5"].read_bytes() == b"best weights" * 1000

    return judge


def union(before: Tree, after: Tree) -> list[Tree]:
    """The new checkpoint is there, and the oldest one not yet gone."""
    return [{**before, **after}]


def begun(before: Tree, after: Tree) -> list[Tree]:
    """The folder of checkpoints is made, and there is none yet."""
    del after
    return [{**before, "checkpoints": None}]


def tidied(before: Tree, after: Tree) -> list[Tree]:
    """What was unfinished is gone, and the damaged checkpoint not yet set aside."""
    del after
    return [{name: content for name, content in before.items() if ".step" not in name}]


def prepare_damaged(folder: Path) -> None:
    """Two checkpoints, the newer one damaged, and what a killed process left."""
    with_steps(1, 2)(folder)
    (folder / "checkpoints" / "step-00000002" / "arrays.bin").write_bytes(b"")
    (folder / "checkpoints" / ".step-00000003").mkdir()
    (folder / "checkpoints" / ".step-00000003" / "arrays.bin").write_bytes(b"half")


def find(folder: Path) -> None:
    """What `train --resume` does."""
    newest_sound(folder / "checkpoints", lambda _: None)


def judge_found(folder: Path) -> None:
    found = newest_sound(folder / "checkpoints", lambda _: None)
    assert found is not None
    assert found.step == 1


def write_text(path: Path, folder: Path) -> None:
    write_whole(folder / path, "new\n" * 5000)


def old_text(path: Path, folder: Path) -> None:
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_text("old\n" * 6000)


def judge_text(path: Path, folder: Path) -> None:
    assert (folder / path).read_text() in ("old\n" * 6000, "new\n" * 5000)


def old_record(folder: Path) -> None:
    (folder / "run.json").write_text('{"status": "running", "seed": 1}')


def judge_record(folder: Path) -> None:
    record = json.loads((folder / "run.json").read_text())
    assert record in ({"status": "running", "seed": 1}, {"status": "finished", "seed": 1})


def judge_metrics(folder: Path) -> None:
    assert len(RunFolder(folder).read_metrics()) in (0, 1)


def save_two_arrays(folder: Path) -> None:
    save_arrays(
        folder / "preprocessing.npz", {"mean": np.ones((40, 40), np.float32), "deviation": np.ones(3, np.float32)}
    )


def judge_arrays(folder: Path) -> None:
    path = folder / "preprocessing.npz"
    if path.exists():
        with np.load(path) as found:
            assert {name: found[name].shape for name in found} == {"mean": (40, 40), "deviation": (3,)}
            assert all((found[name] == 1).all() for name in found)


class Network:
    """Writes its weights into the file that it is given, as Keras does: by h5py."""

    def save_weights(self, file: Any, overwrite: bool) -> None:
        assert overwrite
        with h5py.File(file, "w") as weights:
            for name, size in (("conv2d", 400), ("dense", 20_000)):
                weights[f"layers/{name}/vars/0"] = np.ones(size, np.float32)
                weights[f"layers/{name}/vars"].attrs["name"] = name


def save_network(folder: Path) -> None:
    save_weights(Network(), folder / "weights" / "last.weights.h5")  # type: ignore[arg-type]


def old_weights(folder: Path) -> None:
    (folder / "weights").mkdir()
    (folder / "weights" / "last.weights.h5").write_bytes(b"old")


def judge_weights(folder: Path) -> None:
    path = folder / "weights" / "last.weights.h5"
    if path.read_bytes() != b"old":
        with h5py.File(path) as weights:
            assert weights["layers/dense/vars/0"][()].tolist() == [1] * 20_000
            assert weights["layers/conv2d/vars"].attrs["name"] == "conv2d"


def prepare_put_back(folder: Path) -> None:
    with_steps(1)(folder)
    (folder / "weights").mkdir()
    (folder / "weights" / "best.weights.h5").write_bytes(b"later weights")


def put_back(folder: Path) -> None:
    kept = Checkpoint(folder, 1, "", {}, {"best.weights.h5": folder / "checkpoints" / "step-00000001" / "best.h5"})
    _put_back_best(RunFolder(folder), kept)


def judge_put_back(folder: Path) -> None:
    content = (folder / "weights" / "best.weights.h5").read_bytes()
    assert content in (b"later weights", b"best weights" * 1000)


def write_folder(folder: Path) -> None:
    with replacing_folder(folder / "model") as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "weights").write_bytes(b"w" * 20_000)
        (temporary / "class_names.txt").write_text("cat\ndog\n")


def judge_folder(folder: Path) -> None:
    if (folder / "model").exists():
        assert sorted(path.name for path in (folder / "model").rglob("*")) == ["class_names.txt", "inner", "weights"]


def nothing(folder: Path) -> None:
    del folder


_TEXT = Path("report.json")
_IN_FOLDER = Path("plots") / "curves.png"
CHECKPOINT = ("step-00000003", "checkpoints")
WORKS = (
    Work(
        "the next checkpoint",
        with_steps(1, 2),
        partial(write, step=3, value=VALUES[3]),
        newest,
        judge_newest((2, VALUES[2]), (3, VALUES[3])),
        union,
        tells=CHECKPOINT,
    ),
    Work(
        "the first checkpoint",
        with_steps(),
        partial(write, step=3, value=VALUES[3]),
        newest,
        judge_newest(None, (3, VALUES[3])),
        begun,
        tells=CHECKPOINT,
    ),
    Work(
        "a checkpoint of a step that has one",
        with_steps(2, 3),
        partial(write, step=3, value=7.5),
        newest,
        judge_newest((3, VALUES[3]), (3, 7.5)),
        hides=True,
        tells=CHECKPOINT,
    ),
    Work(
        "a checkpoint without links",
        with_steps(1, 2),
        partial(write_without_links, step=3),
        newest,
        judge_newest((2, VALUES[2]), (3, VALUES[3])),
        union,
        tells=CHECKPOINT,
    ),
    Work("setting aside", prepare_damaged, find, nothing, judge_found, tidied, tells=("step-00000002",)),
    Work(
        "a text",
        partial(old_text, _TEXT),
        partial(write_text, _TEXT),
        remove_unfinished,
        partial(judge_text, _TEXT),
        tells=("report.json",),
    ),
    Work(
        "a picture",
        partial(old_text, _IN_FOLDER),
        partial(write_text, _IN_FOLDER),
        remove_unfinished,
        partial(judge_text, _IN_FOLDER),
        tells=("curves.png",),
    ),
    Work(
        "run.json",
        old_record,
        lambda folder: RunFolder(folder).update(status="finished"),
        remove_unfinished,
        judge_record,
        tells=("run.json",),
    ),
    Work(
        "metrics.csv",
        lambda folder: RunFolder(folder).write_metrics([]),
        lambda folder: RunFolder(folder).write_metrics([ROW]),
        remove_unfinished,
        judge_metrics,
        tells=("metrics.csv",),
    ),
    Work("arrays", nothing, save_two_arrays, remove_unfinished, judge_arrays, tells=("preprocessing.npz",)),
    Work("weights", old_weights, save_network, remove_unfinished, judge_weights, tells=("last.weights.h5",)),
    Work(
        "best weights put back",
        prepare_put_back,
        put_back,
        remove_unfinished,
        judge_put_back,
        tells=("best.weights.h5",),
    ),
    Work("an exported folder", nothing, write_folder, remove_unfinished, judge_folder, tells=("model",)),
)
