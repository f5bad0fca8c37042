"""What the tests of faults share: a folder that is fast to wait for, and the modules beside this file."""

from __future__ import annotations

import shutil
import subprocess
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


class SmallDisk:
    """A real file system of a size in bytes, which may change, or be read-only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def is_mounted(self, size: int) -> bool:
        """Mount it; False where that is not permitted here."""
        return _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(self.path))

    def change(self, option: str) -> None:
        """``size=N``, ``ro`` or ``rw``."""
        assert _mount("-o", f"remount,{option}", str(self.path))


def _mount(*arguments: str) -> bool:
    command = shutil.which("mount")
    return command is not None and subprocess.run([command, *arguments], capture_output=True).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path / "disk")
    disk.path.mkdir()
    if sys.platform != "linux" or not disk.is_mounted(2**20):
        pytest.skip("needs a file system of its own, which only root may mount, on Linux")
    yield disk
    subprocess.run(["umount", str(disk.path)], check=True)
