"""Where a run was made: versions, machine, commit."""

from __future__ import annotations

import os
import platform
import re
import resource
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("imgclf", "tensorflow", "keras", "numpy", "scikit-learn", "h5py", "opencv-python", "pillow")
CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def provenance() -> dict[str, Any]:
    """Versions of Python and of the packages that results rest on, the machine, the git commit of the program."""
    return {
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}},
        "machine": machine(),
        "git_commit": _git_commit(),
        "environment": {name: os.environ[name] for name in sorted(os.environ) if _matters(name)},
    }


def machine() -> dict[str, Any]:
    """Processor, cores, operating system."""
    return {"processor": processor(), "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}"}


def processor() -> str:
    """The processor's name as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def peak_memory() -> int:
    """Greatest resident set of this process so far, in bytes.

    Of the system's own count where it has one: getrusage tells that of the process that started this one where it was
    greater.
    """
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"^VmHWM:\s+([0-9]+) kB$", status.read_text(), re.M)):
        return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024  # Linux counts KiB, macOS bytes


def memory_bytes() -> int:
    """What this process may take: the machine's memory or its container's limit, whichever is less."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in CONTAINER_LIMITS:
        if limit.exists() and (text := limit.read_text().strip()).isdigit():  # "max" where there is none
            limits.append(int(text))
    return min(limits)


def _matters(name: str) -> bool:
    """Whether an environment variable can change the bits of a result."""
    return name.startswith(("TF_ENABLE_", "TF_DETERMINISTIC_", "TF_CUDNN_", "TF_NUM_", "XLA_", "ONEDNN_", "DNNL_")) or (
        name
        in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "TF_XLA_FLAGS", "TF_USE_LEGACY_KERAS", "NVIDIA_TF32_OVERRIDE")
    )


def _git_commit() -> str | None:
    """The commit of the checkout that the program runs from, `-dirty` where it was changed; None when installed."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    ask = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None  # no git on this machine, or no commit yet: an installed program has none either
