"""Checkpoints that a disk has changed: cut, turned in one bit, lost in part, of other content than they say."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from works import VALUES, judge_newest, with_steps

from imgclf.runs.checkpoints import newest_sound

NEWEST = "step-00000002"
Damage = tuple[str, Callable[[Path], None]]  # what is done to the checkpoint's folder, in words


def cuts(file: str, size: int) -> Iterator[Damage]:
    for length in sorted({0, 1, size // 3, size // 2, size - 4096, size - 1} & set(range(size))):
        yield (
            f"{file} cut to {length} bytes",
            lambda folder, n=length: (folder / file).write_bytes(content(folder, file)[:n]),
        )


def flips(file: str, places: range) -> Iterator[Damage]:
    for place in places:
        yield f"bit {place} of {file} turned", lambda folder, n=place: turn(folder / file, n)


def turn(path: Path, bit: int) -> None:
    """Turn a bit; bytes of the file are in order, bits from the lowest."""
    changed = bytearray(path.read_bytes())
    changed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(changed)


def content(folder: Path, file: str) -> bytes:
    return (folder / file).read_bytes()


def damages(folder: Path) -> list[Damage]:
    """Everything that is done to a checkpoint in ``folder``: to the manifest, which has all the rest, at every byte."""
    done: list[Damage] = []
    for path in sorted(folder.iterdir()):
        bits, file = 8 * path.stat().st_size, path.name
        step = 8 if file == "manifest.json" else max(bits // 40, 1)
        done += [*cuts(file, bits // 8), *flips(file, range(file == "manifest.json" and 1, bits, step))]
        done += [
            *flips(file, range(bits - 1, bits)),
            (f"{file} missing", lambda folder, file=file: (folder / file).unlink()),
        ]
        done += [(f"{file} a folder", lambda folder, file=file: make_folder_of(folder / file))]
    done.append(("nothing left", lambda folder: [path.unlink() for path in folder.iterdir()] and None))
    done.append(("the content of the one before", lambda folder: exchange(folder)))
    return done


def make_folder_of(path: Path) -> None:
    path.unlink()
    path.mkdir()


def exchange(folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(folder.with_name("step-00000001"), folder)


def test_any_damage_is_named_and_set_aside_and_the_one_before_is_used(place: Path) -> None:
    whole, folder = place / "whole", place / "folder"
    whole.mkdir()
    with_steps(1, 2)(whole)
    done = damages(whole / "checkpoints" / NEWEST)
    assert len(done) > 700
    for what, damage in done:
        shutil.copytree(whole, folder)
        damage(folder / "checkpoints" / NEWEST)
        said: list[str] = []
        found = newest_sound(folder / "checkpoints", said.append)
        assert found is not None, what
        assert found.step == 1, what
        assert len(said) == 1, what
        assert str(folder / "checkpoints" / NEWEST) in said[0], what
        assert f"set aside as {NEWEST}-damaged" in said[0], what
        assert {path.name for path in (folder / "checkpoints").iterdir()} == {"step-00000001", f"{NEWEST}-damaged"}, (
            what
        )
        judge_newest((1, VALUES[1]))(folder)
        shutil.rmtree(folder)


@pytest.mark.parametrize("times", [2, 3])
def test_a_step_that_is_damaged_again_is_set_aside_beside_the_first(place: Path, times: int) -> None:
    with_steps(1)(place)
    for _ in range(times):
        with_steps(2)(place)
        (place / "checkpoints" / NEWEST / "arrays.bin").unlink()
        newest_sound(place / "checkpoints", lambda _: None)
    assert len(list((place / "checkpoints").glob(f"{NEWEST}-damaged*"))) == times
