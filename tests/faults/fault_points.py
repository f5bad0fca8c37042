"""Every operation of a piece of work that changes the file system: listed, made to fail, or made to be the last.

Python's own doors to the system are watched (the functions of ``os``, and ``open`` with a raw file whose every write
counts), not the program; test_nothing_is_missed.py holds the list against what strace sees.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

When = Literal["before", "half", "after"]
CHANGING = ("chmod", "fsync", "link", "mkdir", "remove", "rename", "replace", "rmdir", "sendfile", "symlink")
CHANGING += ("truncate", "unlink", "utime", "write")
TAKES_SPACE = ("open", "write", "sendfile", "mkdir", "link", "rename", "replace", "symlink", "fsync")
OF_TWO = ("link", "rename", "replace", "symlink")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Point:
    """One operation: its place in the work, from 0, its name, and the file or folder that it changes.

    Of a rename or a link, ``source`` is what the path was before or is elsewhere.
    """

    number: int
    operation: str
    path: str
    source: str = ""

    def __str__(self) -> str:
        return f"{self.number} {self.operation} {Path(self.path).name}"


@dataclass(frozen=True)
class Call:
    """An operation that is about to be made: ``run`` does it, ``half`` writes half of its bytes."""

    point: Point
    run: Callable[[], Any]
    half: Callable[[], Any] | None = None


Act = Callable[[Call], Any]


@contextmanager
def watching(act: Act) -> Iterator[None]:
    """Inside the block ``act`` is given every operation that changes something, and does it or not."""
    numbers, paths = iter(range(10**6)), dict[int, str]()

    def told(
        operation: str, path: Any, run: Callable[[], Any], half: Callable[[], Any] | None = None, source: Any = ""
    ) -> Any:
        path = paths.get(path, "?") if isinstance(path, int) else os.fsdecode(path)
        return act(Call(Point(next(numbers), operation, path, os.fsdecode(source)), run, half))

    def changing(operation: str) -> Callable[..., Any]:
        real = getattr(os, operation)

        def call(*arguments: Any, **named: Any) -> Any:
            source, about = arguments[:2] if operation in OF_TWO else ("", arguments[0])
            half = None
            if operation == "sendfile":
                half = lambda: real(*arguments[:3], max(os.fstat(arguments[1]).st_size // 2, 1))  # noqa: E731
            return told(operation, about, lambda: real(*arguments, **named), half, source)

        return call

    class Raw(io.FileIO):
        def write(self, data: Any) -> int:
            view, write = memoryview(data).cast("B"), super().write
            return int(told("write", str(self.name), lambda: write(view), lambda: write(view[: len(view) // 2])))

        def truncate(self, size: int | None = None) -> int:
            cut = super().truncate
            return int(told("truncate", str(self.name), lambda: cut(size)))

    real_open, real_os_open = io.open, os.open

    def os_open(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        def run() -> int:
            handle = real_os_open(path, flags, *arguments, **named)
            paths[handle] = os.fsdecode(path)
            return handle

        return int(told("open", path, run)) if flags & WRITING else run()

    def whole_open(
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        if not set(mode) & set("wax+") or isinstance(file, int):
            return real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = told("open", file, lambda: Raw(file, mode.replace("b", "").replace("t", ""), closefd, opener))
        paths[raw.fileno()] = os.fsdecode(file)
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    with ExitStack() as patches:
        for operation in CHANGING:
            patches.enter_context(patch.object(os, operation, changing(operation)))
        patches.enter_context(patch.object(os, "open", os_open))
        patches.enter_context(patch.object(io, "open", whole_open))
        patches.enter_context(patch.object(builtins, "open", whole_open))
        yield


def can_be_refused(point: Point, error: int) -> bool:
    """Whether the system answers this operation with this ``errno``: a full disk refuses only what takes space."""
    return error != errno.ENOSPC or point.operation in TAKES_SPACE


def record(work: Callable[[], Any]) -> list[Point]:
    """Do the work, and list its operations, without those that failed and so changed nothing."""
    points: list[Point] = []

    def act(call: Call) -> Any:
        result = call.run()
        points.append(call.point)
        return result

    with watching(act):
        work()
    return points


def ways_to_be_killed(point: Point) -> tuple[When, ...]:
    """Just before and after every operation; of what writes bytes, also with half of them written."""
    return ("before", "half", "after") if point.operation in ("write", "sendfile") else ("before", "after")


def kill(work: Callable[[], Any], number: int, when: When) -> None:
    """Do the work in a process that is killed at an operation; it must have come there, and is awaited."""

    def act(call: Call) -> Any:
        if call.point.number != number:
            return call.run()
        if when == "half":
            assert call.half is not None
            call.half()
        elif when == "after":
            call.run()
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    child = os.fork()
    if child == 0:
        try:
            with watching(act):
                work()
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status), f"the work ended before operation {number}"
    assert os.WTERMSIG(status) == signal.SIGKILL


@contextmanager
def failing(number: int, error: int, *, lasting: bool) -> Iterator[None]:
    """Inside the block an operation fails with this ``errno``; ``lasting``: and whatever changes something after it.

    A full disk (ENOSPC) lets go what needs no space; a write has half of its bytes written before it fails.
    """
    of_space = error == errno.ENOSPC

    def act(call: Call) -> Any:
        fails = call.point.number == number or (lasting and call.point.number > number)
        if not fails or not can_be_refused(call.point, error):
            return call.run()
        if call.half is not None and of_space and call.point.number == number:
            call.half()
        raise OSError(error, os.strerror(error), call.point.path)

    with watching(act):
        yield
