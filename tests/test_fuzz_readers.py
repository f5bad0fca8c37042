"""The script that damages files: the same files for the same seed, and nothing but read or refused."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "fuzz_readers.py"
READERS = ("idx", "cifar-binary", "cifar-pickle", "cifar-archive", "npy", "npz", "image-header", "image")


def fuzz(folder: Path, *arguments: str) -> str:
    command = [sys.executable, str(SCRIPT), *arguments, "--seed", "5", "--folder", str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, ""), answer.stderr
    return answer.stdout


@pytest.mark.slow  # starts a process for each reader, and encodes an image of each format
def test_damaged_files_are_read_or_refused_by_every_reader(tmp_path: Path) -> None:
    told = fuzz(tmp_path, *READERS, "--files", "200")
    counts = re.findall(
        r"^([\w-]+): 200 damaged files in \d+ s: (\d+) read, (\d+) refused, 0 crash, 0 hang, 0 traceback, 0 output$",
        told,
        re.MULTILINE,
    )
    assert [reader for reader, _, _ in counts] == list(READERS)
    assert all(int(refused) > 50 and int(read) > 0 for _, read, refused in counts)


@pytest.mark.slow  # starts four processes
def test_a_seed_makes_the_same_files_again(tmp_path: Path) -> None:
    for name in ("first", "second"):
        fuzz(tmp_path / name, "idx", "image-header", "--files", "60")
    first, second = (
        {
            file.relative_to(tmp_path / name): file.read_bytes()
            for file in (tmp_path / name).rglob("*")
            if file.is_file()
        }
        for name in ("first", "second")
    )
    assert len(first) == 120
    assert first == second
