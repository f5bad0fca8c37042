#!/usr/bin/env python3
"""Broken files through the readers of images and arrays: each must be read or refused with a reason, within its time.

    scripts/fuzz_readers.py READER... [--files 2000] [--seed 1] [--seconds 10] [--folder FOLDER]
    scripts/fuzz_readers.py READER... --minutes 10 [--folder FOLDER]

With --files (the default): good files are damaged (bytes flipped, file cut, parts swapped, random bytes behind a good
beginning, extreme numbers), the same ones for the same seed, and read by a process of its own. Prints how many were
read, refused (with the reasons), crashed the process, took longer than --seconds, raised another error than the
program's or ran out of memory (half a gigabyte), or had a library print or warn.

With --minutes: atheris makes the files, led by the code that they reach, for so many minutes for each READER. It is no
dependency of imgclf: `pip install atheris` into an environment of your own, on Linux with Python 3.11 to 3.13, beside
`pip install -e .`. Prints executions and coverage as they grow, and in the end every finding, with the file that shows
it in FOLDER/READER/findings; what reached new code lies in FOLDER/READER/corpus, from where a later run goes on.

Exit status 1 if there is any finding. FOLDER is by default one that is deleted at the end of a run without findings.
"""

from __future__ import annotations

import argparse
import collections
import importlib.util
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from fuzzing.guided import fuzz, fuzz_in_this_process
from fuzzing.outcome import BAD, Outcome
from fuzzing.readers import READERS
from fuzzing.seeded import answer_for_named_files, run_through, write_damaged


def main() -> int:
    """Damage, read, count, reader by reader."""
    arguments = parse_arguments()
    if arguments.child == "seeded":
        return answer_for_named_files(arguments.readers[0])
    if arguments.child == "guided":
        return fuzz_in_this_process(arguments.readers[0], arguments.minutes, arguments.folder)
    if arguments.minutes is not None and importlib.util.find_spec("atheris") is None:
        print("error: --minutes needs atheris: pip install atheris (see --help)", file=sys.stderr)
        return 2
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="imgclf-fuzz-"))
    found = sum(run(reader, arguments, folder / reader) for reader in arguments.readers)
    if not found and not arguments.folder:
        shutil.rmtree(folder)
    return int(found > 0)


def run(reader: str, arguments: argparse.Namespace, folder: Path) -> int:
    """One reader, in one of the two ways; returns the number of findings."""
    if arguments.minutes is not None:
        return fuzz(reader, arguments.minutes, folder)
    files = list(write_damaged(folder, reader, arguments.files, arguments.seed))
    started = time.monotonic()
    outcomes = dict(zip(files, run_through(reader, files, arguments.seconds), strict=True))
    return report(reader, outcomes, time.monotonic() - started)


def parse_arguments() -> argparse.Namespace:
    """What the user asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="+", choices=READERS, metavar="READER", help=", ".join(READERS))
    parser.add_argument("--files", type=int, default=2000, help="damaged files for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10, help="time limit for one file")
    parser.add_argument("--minutes", type=float, help="fuzz with atheris for so long instead")
    parser.add_argument("--folder", type=Path, help="where the files are written and kept")
    parser.add_argument("--child", choices=("seeded", "guided"), help=argparse.SUPPRESS)
    return parser.parse_args()


def report(reader: str, outcomes: dict[Path, Outcome], seconds: float) -> int:
    """Print the counts; returns the number of bad outcomes."""
    kinds = collections.Counter(outcome.kind for outcome in outcomes.values())
    counts = [f"{kinds[kind]} {kind}" for kind in ("read", "refused", *BAD)]
    print(f"{reader}: {len(outcomes)} damaged files in {seconds:.0f} s: {', '.join(counts)}")
    reasons = collections.Counter(
        re.sub(r"\d+", "N", outcome.detail) for outcome in outcomes.values() if outcome.kind == "refused"
    )
    for reason, count in reasons.most_common(12):
        print(f"  {count:5} {reason[:100]}")
    for path, outcome in outcomes.items():
        if outcome.kind in BAD:
            print(f"{outcome.kind}: {path}: {outcome.detail[:300]}", file=sys.stderr)
    return sum(kinds[kind] for kind in BAD)


if __name__ == "__main__":
    sys.exit(main())
