from __future__ import annotations

import re
from pathlib import Path

from fault_points import can_be_refused, record, ways_to_be_killed
from test_kill import fresh
from test_refused import ERRORS, LASTS
from works import WORKS


def test_the_readme_says_how_many_faults_are_tried(place: Path) -> None:
    points = []
    for work in WORKS:
        folder = fresh(work, place)
        points += record(lambda work=work, folder=folder: work.run(folder))
    kills = sum(len(ways_to_be_killed(point)) for point in points)
    refusals = len(LASTS) * sum(can_be_refused(point, error) for point in points for error in ERRORS)
    told = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    found = re.search(r"at ([\d,]+) write points: ([\d,]+) kills\s+and ([\d,]+)\s+refusals", told)
    assert found is not None
    assert [int(number.replace(",", "")) for number in found.groups()] == [len(points), kills, refusals]
