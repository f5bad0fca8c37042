"""What a real run opens for writing in its folder."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

# Files that are written under their own names, and why no reader takes a part of one for the whole.
GROW = {
    r"log\.txt": "lines for people; a line that is cut off is one line less",
    r"train\.lock": "empty for ever: the lock is the system's, on the open file, and goes with its process",
    r"tensorboard/(train|validation)/events\.out\.tfevents\..*": "segments of records that each bear a checksum; "
    "going on from a checkpoint removes those that began after it",
}


# Slow: a real run.
@pytest.mark.slow
def test_every_file_of_a_run_is_a_temporary_that_gets_its_name_when_whole_or_one_of_three_that_grow(
    tmp_path: Path,
) -> None:
    result, runs = tmp_path / "noted.json", tmp_path / "runs"
    settings = ["model.filters=[2]", "training.epochs=2", "training.checkpoint_every_steps=15"]
    sets = [text for setting in settings for text in ("--set", setting)]
    command = [sys.executable, str(Path(__file__).with_name("audited.py")), str(result)]
    arguments = ["train", "lenet_digits", *sets, "--runs-dir", str(runs)]
    ended = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    noted, run = json.loads(result.read_text()), next(runs.iterdir())
    renamed = {source: target for event, source, target in noted if event == "os.rename"}
    opened = {Path(path) for event, path, _ in noted if event == "open" and Path(path).is_relative_to(run)}
    linked = {Path(target) for event, _, target in noted if event == "os.link" and Path(target).is_relative_to(run)}
    assert len(opened) > 20
    for path in opened | linked:
        name = str(path.relative_to(run))
        if any(re.fullmatch(pattern, name) for pattern in GROW):
            continue
        temporary = next((one for one in (path, *path.parents) if str(one) in renamed), None)
        assert temporary is not None, f"{name} is written under its own name"
        assert temporary.name.startswith("."), name
    left = {path for path in run.rglob("*") if path.is_file()}
    targets = {Path(target) for target in renamed.values()}
    for path in left:
        name = str(path.relative_to(run))
        assert not path.name.startswith("."), name
        is_known = any(one in targets for one in (path, *path.parents))
        assert is_known or any(re.fullmatch(pattern, name) for pattern in GROW), f"{name} came past Python"
