"""Does every work once, for a tracer outside, and prints what the watcher inside has seen. Argument: a folder."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from fault_points import record
from works import WORKS

if __name__ == "__main__":
    told = {}
    for number, work in enumerate(WORKS):
        folder = Path(sys.argv[1]) / str(number)
        folder.mkdir()
        work.prepare(folder)
        os.access(f"/work-begins-{number}", os.F_OK)
        points = record(lambda work=work, folder=folder: work.run(folder))  # type: ignore[misc]
        os.access(f"/work-ends-{number}", os.F_OK)
        told[number] = [(one.operation, Path(one.path).name) for one in points]
    print(json.dumps(told))
