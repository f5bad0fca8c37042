"""Files that atheris makes: it keeps those that reach code which none before reached, and changes them further."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fuzzing.limits import limit_memory
from fuzzing.outcome import Outcome, outcome_of
from fuzzing.readers import READERS, warm_up

SLOW_SECONDS = 2.0
_HANG_SECONDS = 20
_STATE = re.compile(r"#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)")
_EVERY_SECONDS = 30
_IN_MEMORY = Path("/dev/shm")


@dataclass
class Progress:
    """How many files were read, and how much code they reached: ``edges`` as libFuzzer counts them."""

    executions: int = 0
    edges: list[int] = field(default_factory=list)
    kept: int = 0

    def note(self, line: str, before: int) -> bool:
        """Take in a line of libFuzzer; True where it is one of its counts."""
        found = _STATE.match(line)
        if found:
            self.executions = before + int(found[1])
            self.edges.append(int(found[2]))
            self.kept = int(found[4])
        return found is not None


def fuzz(reader: str, minutes: float, folder: Path) -> int:
    """Fuzz one reader; what it found is written to FOLDER/findings. Returns how many different things that was."""
    good, findings = folder / "corpus", folder / "findings"
    for one in (good, findings):
        one.mkdir(parents=True, exist_ok=True)
    for name, content in READERS[reader].files().items():
        (good / name).write_bytes(content)
    progress, started = Progress(), time.monotonic()
    while (left := minutes * 60 - (time.monotonic() - started)) > 1:
        status = _run_child(reader, folder, int(left), progress)
        if status:
            print(f"the process ended with status {status}; what it read then: {findings}/*-*", flush=True)
        if status and not progress.edges:  # it never came so far as to read
            return 1
    found = sorted(path for path in findings.iterdir() if path.suffix != ".txt")
    first, last = (progress.edges[0], progress.edges[-1]) if progress.edges else (0, 0)
    counts = f"{progress.executions:,} executions in {time.monotonic() - started:.0f} s"
    print(f"{reader}: {counts}; {first} -> {last} edges, {progress.kept} files kept; {len(found)} findings")
    for path in found:
        words = path.with_name(path.name + ".txt")
        print(f"  {path}: {words.read_text(encoding='utf-8') if words.exists() else 'crash or hang'}")
    return len(found)


def _run_child(reader: str, folder: Path, seconds: int, progress: Progress) -> int:
    """Run atheris until the time is over or the process crashes; its exit status."""
    script = Path(__file__).parent.parent / "fuzz_readers.py"
    command = [sys.executable, str(script), reader, "--child", "guided", "--folder", str(folder)]
    before, last = progress.executions, 0.0
    with subprocess.Popen([*command, "--minutes", str(seconds / 60)], stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if not progress.note(line, before):
                if not line.startswith(("INFO:", "Done", "WARNING:")):
                    print(line, end="", flush=True)
            elif time.monotonic() > last + _EVERY_SECONDS:
                print(f"{reader}: {progress.executions:,} executions, {progress.edges[-1]} edges", flush=True)
                last = time.monotonic()
            if ended := re.match(r"Done (\d+) runs", line):
                progress.executions = before + int(ended[1])
    return child.returncode


def fuzz_in_this_process(reader: str, minutes: float, folder: Path) -> int:
    """The child: never returns, libFuzzer ends the process."""
    import atheris

    for module in READERS[reader].modules:
        sys.modules.pop(module, None)  # what is there already was imported without its counters
    with atheris.instrument_imports(include=["imgclf", *READERS[reader].modules]):
        warm_up(reader)
    limit_memory()
    folder_in_memory = _IN_MEMORY if _IN_MEMORY.is_dir() else None
    path = Path(tempfile.mkdtemp(prefix="imgclf-fuzz-", dir=folder_in_memory)) / "file"
    options = {
        "max_total_time": int(minutes * 60),
        "max_len": READERS[reader].most_bytes,
        "timeout": _HANG_SECONDS,
        "rss_limit_mb": 0,
        "artifact_prefix": f"{folder / 'findings'}{os.sep}",
    }
    arguments = [sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), str(folder / "corpus")]
    atheris.Setup(arguments, lambda content: _try(content, path, READERS[reader].read, folder / "findings"))
    atheris.Fuzz()
    return 0


def _try(content: bytes, path: Path, read: Callable[[Path], None], findings: Path) -> None:
    """Note what is no answer of a reader, once for each place in the code, and go on."""
    started = time.monotonic()
    path.write_bytes(content)
    outcome = outcome_of(read, path)
    taken = time.monotonic() - started
    if taken > SLOW_SECONDS:
        outcome = Outcome("hang", f"took {taken:.1f} s; {outcome.detail}")
    if outcome.kind in ("read", "refused"):
        return
    kind = re.sub(r"\d+\.\d+ s", "", outcome.detail.partition(": ")[0])
    name = f"{outcome.kind}-{hashlib.sha256(kind.encode()).hexdigest()[:12]}"
    with contextlib.suppress(FileExistsError), (findings / name).open("xb") as file:
        file.write(content)
        (findings / f"{name}.txt").write_text(outcome.detail[:1000], encoding="utf-8", errors="replace")
