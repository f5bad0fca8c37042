"""The list of operations against what the system itself was asked to do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from works import WORKS

STRACE = shutil.which("strace")
# Calls that change nothing that another process could see; any other call that names the folder must be in the list.
ONLY_READ = {
    "access",
    "close",
    "fadvise64",
    "faccessat",
    "faccessat2",
    "fcntl",
    "fstat",
    "fstatfs",
    "getcwd",
    "getdents64",
}
ONLY_READ |= {"ioctl", "lseek", "lstat", "newfstatat", "pread64", "read", "readlink", "readlinkat", "stat", "statx"}
NAMES = {"openat": "open", "pwrite64": "write", "unlinkat": "unlink", "linkat": "link", "renameat2": "rename"}
NAMES |= {"fchmodat": "chmod", "mkdirat": "mkdir", "fdatasync": "fsync", "renameat": "rename", "ftruncate": "truncate"}
SAME = {"replace": "rename", "remove": "unlink"}


def traced(command: list[str], trace: Path) -> subprocess.CompletedProcess[str]:
    assert STRACE is not None
    options = ["-f", "-y", "-s", "0", "--seccomp-bpf", "-o", str(trace), "-e", "trace=%file,%desc"]
    return subprocess.run([STRACE, *options, *command], capture_output=True, text=True, check=False)


def can_trace(tmp_path: Path) -> bool:
    return STRACE is not None and traced([sys.executable, "-c", ""], tmp_path / "try").returncode == 0


def calls(trace: Path, number: int, folder: Path) -> list[tuple[str, str]]:
    """What was done in the folder while a work went on: the operation, and the name of what it changed."""
    text = trace.read_text(errors="replace")
    lines = text.partition(f"/work-begins-{number}")[2].partition(f"/work-ends-{number}")[0].splitlines()
    done = []
    for line in lines:
        found = re.match(r"\d+ +(\w+)\((.*)\) += (-?\d+)", line)
        if found is None or str(folder) not in line or found[1] in ONLY_READ or int(found[3]) < 0:
            continue
        call, arguments = found[1], found[2]
        if call == "openat" and not re.search("O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", arguments):
            continue
        operation = "rmdir" if "AT_REMOVEDIR" in arguments else NAMES.get(call, call)
        done.append((operation, changed(operation, arguments)))
    return done


def changed(operation: str, arguments: str) -> str:
    """The name of the file or folder: the last one quoted, or that of the first file descriptor."""
    quoted = re.findall(r'"([^"]*)"', arguments)
    path = quoted[-1] if operation != "write" and quoted else re.findall(r"\d+<([^>]*)>", arguments)[0]
    return Path(path).name


# Slow: Python is started under a tracer that stops it at every call.
@pytest.mark.slow
def test_every_call_that_changes_the_folder_is_in_the_list(place: Path, tmp_path: Path) -> None:
    if not can_trace(tmp_path):
        pytest.skip("strace is missing here, or may not trace")
    script = Path(__file__).with_name("all_works.py")
    ended = traced([sys.executable, str(script), str(place)], tmp_path / "trace")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    for number, work in enumerate(WORKS):
        seen = calls(tmp_path / "trace", number, place / str(number))
        expected = [(SAME.get(operation, operation), name) for operation, name in told[str(number)]]
        assert seen == expected, work.name
        assert seen
