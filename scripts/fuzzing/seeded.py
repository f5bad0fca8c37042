"""Damaged files, the same ones for the same seed, read by a process of its own that may crash or hang."""

from __future__ import annotations

import json
import os
import random
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fuzzing.damage import WAYS
from fuzzing.limits import limit_memory
from fuzzing.outcome import Outcome, outcome_of
from fuzzing.readers import READERS, warm_up


def write_damaged(folder: Path, reader: str, count: int, seed: int) -> Iterator[Path]:
    """``count`` damaged files of a reader, every good file and way of damage in turn."""
    kinds = list(READERS[reader].files().items())
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        chance = random.Random(seed * 1_000_003 + number)
        name, good = kinds[number % len(kinds)]
        way = WAYS[number // len(kinds) % len(WAYS)]
        content = bytearray(good)
        way(content, chance)
        path = folder / f"{number:05d}-{way.__name__}-{name}"
        path.write_bytes(content)
        yield path


def run_through(reader: str, files: list[Path], seconds: float) -> Iterator[Outcome]:
    """The outcome of each file, in order; a process that crashed or hangs is followed by another."""
    child = _start(reader)
    for path in files:
        assert child.stdin is not None
        child.stdin.write(f"{path}\n".encode())
        child.stdin.flush()
        outcome = _answer_of(child, seconds)
        if outcome.kind in ("crash", "hang"):
            _end(child)
            child = _start(reader)
        yield outcome
    _end(child)


def _start(reader: str) -> subprocess.Popen[bytes]:
    """A process that waits for the names of files."""
    script = Path(__file__).parent.parent / "fuzz_readers.py"
    command = [sys.executable, str(script), reader, "--child", "seeded"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    assert child.stdout is not None
    child.stdout.readline()  # it has imported its libraries
    return child


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate()


def _answer_of(child: subprocess.Popen[bytes], seconds: float) -> Outcome:
    """What the process says of the file that it was given, or that it says nothing."""
    assert child.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        if not selector.select(seconds):
            return Outcome("hang", f"no answer within {seconds:g} s")
    line = child.stdout.readline()
    return Outcome(**json.loads(line)) if line else Outcome("crash", f"exit status {child.wait()}")


def answer_for_named_files(reader: str) -> int:
    """The child: read the files named on standard input and answer with an outcome each."""
    read = READERS[reader].read
    answers = os.fdopen(os.dup(1), "w")
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
        warm_up(reader)
        limit_memory()
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            printed.seek(0)
            printed.truncate()
            outcome = outcome_of(read, Path(line.rstrip("\n")))
            sys.stdout.flush()
            sys.stderr.flush()
            printed.seek(0)
            if output := printed.read().decode(errors="replace"):
                outcome = Outcome("output", output.strip())
            print(json.dumps(vars(outcome)), file=answers, flush=True)
    return 0
