"""What has to come at once: help, lists and mistakes load no framework, and nothing else that takes long."""

from __future__ import annotations

import subprocess
import sys

import pytest

SLOW_TO_IMPORT = {"tensorflow", "keras", "numpy", "sklearn", "scipy", "matplotlib", "cv2", "PIL", "h5py"}


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--help"], 0),
        (["models", "list"], 0),
        (["config", "check", "lenet_digits"], 0),
        (["train", "lenet_digits", "--set", "training.epchs=3"], 2),
        (["train", "lenet_digitz"], 2),
    ],
)  # fmt: skip
def test_quick_commands_import_nothing_slow(arguments: list[str], status: int) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "imgclf", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert done.returncode == status
    assert "typer" in imported  # the list is that of imports
    assert imported & SLOW_TO_IMPORT == set()
