#!/usr/bin/env python3
"""Peak anonymous memory of `imgclf train` on ten classes of 10,000 and of 100,000 drawings, one epoch each.

    scripts/bench_memory.py [--drawings 10000 100000] [--folder made] [--set KEY=VALUE ...]

Makes the files with scripts/make_quickdraw.py where they are not there, trains the network of cnn_quickdraw with
fewer filters (so that an epoch takes a minute or two), and reads RssAnon of the process from /proc every 20 ms, from
its start to its end, evaluation and pictures included. RssAnon leaves out the pages of the mapped files: those are
the system's cache. Linux only.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SMALL = ("model.blocks=[[4], [8]]", "model.dense_units=[32]")


@dataclass(frozen=True)
class Peak:
    """The greatest RssAnon of a process, in bytes, and after how many seconds it was reached."""

    peak_bytes: int
    at_seconds: float
    seconds: float


def main() -> None:
    """Measure each size and print the peaks and their ratio to the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drawings", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "quickdraw_made")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for imgclf train")
    arguments = parser.parse_args()
    peaks: dict[int, Peak] = {}
    for drawings in arguments.drawings:
        folder = made(arguments.folder / str(drawings), drawings)
        peaks[drawings] = one = measure(folder, arguments.set)
        ratio = one.peak_bytes / next(iter(peaks.values())).peak_bytes
        print(
            f"10 x {drawings:,}: peak RssAnon {one.peak_bytes / 1e6:.0f} MB, {ratio:.3f} of the first's, "
            f"after {one.at_seconds:.0f} of {one.seconds:.0f} s",
            flush=True,
        )


def made(folder: Path, drawings: int) -> Path:
    """The folder with the ten files."""
    if len(list(folder.glob("*.npy"))) != 10:
        maker = Path(__file__).with_name("make_quickdraw.py")
        subprocess.run([sys.executable, maker, folder, "--drawings", str(drawings)], check=True)
    return folder


def measure(folder: Path, overrides: list[str]) -> Peak:
    """Train one epoch in a process of its own and watch its memory."""
    command = [sys.executable, "-m", "imgclf", "train", "cnn_quickdraw"]
    settings = (f"dataset.path={folder.absolute()}", "dataset.classes=null", "training.epochs=1", *SMALL, *overrides)
    for setting in settings:
        command += ["--set", setting]
    with tempfile.TemporaryDirectory() as runs:
        started = time.monotonic()
        process = subprocess.Popen([*command, "--runs-dir", runs], stdout=subprocess.DEVNULL)
        peak, at = 0, 0.0
        while process.poll() is None:
            now = anonymous_bytes(process.pid)
            if now > peak:
                peak, at = now, time.monotonic() - started
            time.sleep(0.02)
        if process.returncode:
            sys.exit(f"imgclf train ended with status {process.returncode}")
    return Peak(peak, at, time.monotonic() - started)


def anonymous_bytes(pid: int) -> int:
    """RssAnon of a process as it is now; 0 once it has ended."""
    try:
        found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main()
