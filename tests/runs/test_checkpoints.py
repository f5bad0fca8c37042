from __future__ import annotations

import errno
import gc
import hashlib
import json
import math
import os
import resource
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imgclf.errors import ImgclfError, WorkFailed
from imgclf.runs.checkpoint_format import read_checkpoint
from imgclf.runs.checkpoints import list_checkpoints, newest_sound, write_checkpoint


def write(folder: Path, step: int, states: dict[str, Any] | None = None, files: dict[str, Path] | None = None) -> Path:
    states = states or {"model": {"kernel": np.full((2, 3), step, np.float32), "steps": step}}
    return write_checkpoint(folder, step, "abc", states, files or {}, lambda *_: None)


def newest(folder: Path) -> tuple[int | None, list[str]]:
    said: list[str] = []
    found = newest_sound(folder, said.append)
    return found and found.step, said


def test_what_is_written_is_read_back_to_the_last_bit(tmp_path: Path) -> None:
    arrays = {
        "floats": np.array([[0.1, -0.0], [math.nan, math.inf]], np.float32),
        "scalar": np.array(2**40 + 1, np.int64),
        "turned": np.arange(6, dtype=np.float64).reshape(2, 3).T,
        "empty": np.zeros((0, 3), np.float32),
        "flags": np.array([True, False]),
    }
    numbers = {"best": math.inf, "loss": 0.1 + 0.2, "rows": [{"epoch": 1, "loss": 1 / 3, "none": None}], "text": "ä"}
    read = read_checkpoint(write(tmp_path, 7, {"arrays": arrays, "numbers": numbers, "nothing": {}}))
    assert (read.step, read.experiment) == (7, "abc")
    assert read.states["numbers"] == numbers
    assert read.states["nothing"] == {}
    for name, array in arrays.items():
        loaded = read.states["arrays"][name].load()
        assert (loaded.dtype, loaded.shape, loaded.tobytes()) == (array.dtype, array.shape, array.tobytes())


def test_the_newest_two_are_kept_and_nothing_else(tmp_path: Path) -> None:
    for step in (1, 2, 30, 4):
        write(tmp_path, step)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000004", "step-00000030"]


def test_steps_are_ordered_as_numbers(tmp_path: Path) -> None:
    for step in (123_456_789, 99_999_999):
        write(tmp_path, step)
    assert newest(tmp_path) == (123_456_789, [])


def test_a_file_is_kept_as_it_was_when_it_is_replaced_later(tmp_path: Path) -> None:
    best, new = tmp_path / "best", tmp_path / "new"
    best.write_text("before")
    path = write(tmp_path / "checkpoints", 1, files={"best": best})
    new.write_text("after")
    new.replace(best)
    assert read_checkpoint(path).files["best"].read_text() == "before"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def claim_too_much(path: Path) -> None:
    manifest = json.loads(path.read_text())
    manifest["arrays"]["model"]["kernel"]["shape"] = [2**40]
    seal(path, manifest)


def seal(path: Path, manifest: dict[str, Any]) -> None:
    del manifest["sha256"]
    sealed = hashlib.sha256((json.dumps(manifest, indent=1) + "\n").encode()).hexdigest()
    path.write_text(json.dumps({"sha256": sealed, **manifest}, indent=1) + "\n")


def nest(path: Path) -> None:
    path.write_text("[" * 100_000)


@pytest.mark.parametrize(
    ("file", "damage", "reason"),
    [
        ("arrays.bin", flip, "kernel in arrays.bin is not what was written"),
        ("arrays.bin", cut, "arrays.bin ends before kernel"),
        ("arrays.bin", Path.unlink, "arrays.bin is missing"),
        ("best.h5", flip, "the content of best.h5 is not what was written"),
        ("best.h5", cut, "best.h5 must have 100 bytes; it has 98"),
        ("manifest.json", cut, "manifest.json is no JSON"),
        ("manifest.json", flip, "the content of manifest.json is not what was written"),
        ("manifest.json", nest, "manifest.json is no JSON"),
        ("manifest.json", Path.unlink, "manifest.json is missing"),
        ("manifest.json", claim_too_much, "kernel has another size than its shape and type have"),
        ("manifest.json", lambda path: path.write_text('{"version": true}'), "manifest.json: version"),
        ("manifest.json", lambda path: path.write_text(path.read_text().replace('n": 2', 'n": 3')), "manifest.json: "),
    ],
)
def test_a_damaged_checkpoint_is_named_and_set_aside_and_the_one_before_is_used(
    tmp_path: Path, file: str, damage: Callable[[Path], None], reason: str
) -> None:
    best, folder = tmp_path / "best.h5", tmp_path / "checkpoints"
    write(folder, 5)
    best.write_bytes(bytes(100))
    states = {"model": {"kernel": np.ones(25, np.float32)}}
    path = write(folder, 6, states, {"best.h5": best})
    damage(path / file)
    step, (said,) = newest(folder)
    assert step == 5
    assert str(path) in said
    assert reason in said
    assert [one.name for one in list_checkpoints(folder)] == ["step-00000005"]
    assert (folder / "step-00000006-damaged").is_dir()


def names_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("file", ["manifest.json", "arrays.bin", "best.h5"])
def test_a_file_that_the_system_refuses_to_read_is_named_and_nothing_is_set_aside(tmp_path: Path, file: str) -> None:
    best, folder = tmp_path / "best.h5", tmp_path / "checkpoints"
    best.write_bytes(bytes(100))
    path = write(folder, 6, files={"best.h5": best}) / file
    path.unlink()
    path.symlink_to(path)  # too many links to be followed
    with pytest.raises(WorkFailed) as refused:
        newest(folder)
    assert str(refused.value) == f"{path}: can't be read: {os.strerror(errno.ELOOP)}"
    assert names_of(folder) == ["step-00000006"]


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="only Linux has a file that fails to be read")
def test_a_disk_that_fails_while_it_is_read_is_told_and_nothing_is_set_aside(tmp_path: Path) -> None:
    manifest = write(tmp_path, 6) / "manifest.json"
    manifest.unlink()
    manifest.symlink_to("/proc/self/mem")  # can be opened, and has nothing at 0
    with pytest.raises(WorkFailed) as refused:
        newest(tmp_path)
    assert str(refused.value) == f"{manifest}: can't be read: {os.strerror(errno.EIO)}"
    assert names_of(tmp_path) == ["step-00000006"]


def test_where_no_more_files_may_be_open_nothing_is_set_aside(tmp_path: Path) -> None:
    write(tmp_path, 6)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with (tmp_path.parent / "lowest").open("w") as file:
        resource.setrlimit(resource.RLIMIT_NOFILE, (file.fileno() + 1, before[1]))
        try:
            for read in (newest, lambda folder: read_checkpoint(folder / "step-00000006")):
                with pytest.raises(WorkFailed, match=os.strerror(errno.EMFILE)):
                    read(tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert names_of(tmp_path) == ["step-00000006"]
    assert newest(tmp_path) == (6, [])


@pytest.mark.parametrize("version", [1, 3])
@pytest.mark.parametrize("bears_seal", [True, False])
def test_a_checkpoint_of_another_version_is_refused_and_not_set_aside(
    tmp_path: Path, version: int, bears_seal: bool
) -> None:
    write(tmp_path, 5)
    path = write(tmp_path, 6)
    manifest = json.loads((path / "manifest.json").read_text()) | {"version": version, "else": []}
    seal(path / "manifest.json", manifest)
    if not bears_seal:
        (path / "manifest.json").write_text(json.dumps(manifest))
    told = f"was written by another version of imgclf \\(format {version}; this one reads 2\\)"
    with pytest.raises(ImgclfError, match=told):
        newest(tmp_path)
    assert names_of(tmp_path) == ["step-00000005", "step-00000006"]


def test_where_all_are_damaged_there_is_none(tmp_path: Path) -> None:
    for step in (1, 2):
        (write(tmp_path, step) / "manifest.json").unlink()
    step, said = newest(tmp_path)
    assert (step, len(said)) == (None, 2)


def test_what_a_killed_process_left_is_no_checkpoint_and_is_removed(tmp_path: Path) -> None:
    write(tmp_path, 1)
    shutil.copytree(tmp_path / "step-00000001", tmp_path / ".step-00000002")
    assert newest(tmp_path) == (1, [])
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_arrays_are_taken_into_memory_one_at_a_time(tmp_path: Path) -> None:
    taken: list[weakref.ref[Any]] = []

    class Variable:
        shape = (1000,)

        def numpy(self) -> np.ndarray:
            gc.collect()
            assert [one() for one in taken] == [None] * len(taken)
            array = np.random.default_rng(len(taken)).random(1000)
            taken.append(weakref.ref(array))
            return array

    read = read_checkpoint(write(tmp_path, 1, {"model": {str(number): Variable() for number in range(4)}}))
    expected = [np.random.default_rng(number).random(1000) for number in range(4)]
    assert all(np.array_equal(read.states["model"][str(i)].load(), one) for i, one in enumerate(expected))


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkFailed, match="can't be written"):
        write(tmp_path / "file" / "checkpoints", 1)


def test_a_file_that_can_not_be_read_is_named_and_not_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        write(tmp_path / "checkpoints", 1, files={"best.h5": tmp_path / "best.h5"})
    assert raised.value.filename == str(tmp_path / "best.h5")
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_an_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    class Broken:
        shape = (1,)

        def numpy(self) -> np.ndarray:
            raise RuntimeError("no device")

    with pytest.raises(RuntimeError):
        write(tmp_path, 1, {"model": {"kernel": Broken()}})
    assert list(tmp_path.iterdir()) == []
