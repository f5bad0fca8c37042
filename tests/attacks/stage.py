"""A process that is attacked: each command runs in a fork of it, which is bounded, measured and thrown away.

Started with the names of modules to import first; reads a JSON object a line, answers with one.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

MOST_MORE_BYTES = 2**30  # where a fork would take the machine's memory, it ends here
MOST_SECONDS = 60


def run(command: dict[str, Any]) -> dict[str, int]:
    """Exit status (negative: the signal), and bytes that the fork held in memory at most beyond those of this one."""
    before = status_bytes("VmRSS")
    child = os.fork()
    if child == 0:
        perform(command)
    _, status, usage = os.wait4(child, 0)
    return {"status": os.waitstatus_to_exitcode(status), "grown_bytes": usage.ru_maxrss * 1024 - before}


def perform(command: dict[str, Any]) -> None:
    os.chdir(command["folder"])
    for number, name in ((1, command["out"]), (2, command["err"])):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.update(command["environment"])
    most = status_bytes("VmData") + MOST_MORE_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    sys.argv = ["imgclf", *command["arguments"]]
    status = 70
    try:
        from imgclf.cli import main

        main()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def status_bytes(key: str) -> int:
    """A size of this process as Linux tells it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for name in sys.argv[1:]:
        if name == "tensorflow":
            importlib.import_module("imgclf.startup").import_lean()
        else:
            importlib.import_module(name)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
