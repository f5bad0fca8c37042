"""The script that damages files: the same files for the same seed, and nothing but decoded or refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "fuzz_images.py"


@pytest.mark.slow  # starts two processes, and encodes a file of each format twice
def test_damaged_files_are_decoded_or_refused_and_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        command = [sys.executable, str(SCRIPT), "--files", "200", "--seed", "5", "--folder", str(tmp_path / folder)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (answer.returncode, answer.stderr) == (0, "")
        assert "200 damaged files" in answer.stdout
        assert "0 crash, 0 hang, 0 traceback, 0 output" in answer.stdout
    first, second = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("first", "second")
    )
    assert len(first) == 200
    assert first == second
