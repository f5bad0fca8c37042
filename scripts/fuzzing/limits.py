"""How much memory a reader may take of a small damaged file."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

MOST_MORE_BYTES = 2**29


def limit_memory() -> None:
    """From here on, half a gigabyte more than now: beyond that, MemoryError. Linux alone tells what is held."""
    if sys.platform != "linux":
        return
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    now = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:"))
    resource.setrlimit(resource.RLIMIT_DATA, (now + MOST_MORE_BYTES, now + MOST_MORE_BYTES))
