"""What the tests of faults share: a folder that is fast to wait for, and the modules beside this file."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

IN_MEMORY = Path("/dev/shm")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """An empty folder; in memory where the system has such a place, since thousands of flushes wait for a disk."""
    if not IN_MEMORY.is_dir():
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="imgclf-", dir=IN_MEMORY))
    yield folder
    shutil.rmtree(folder)
