"""`imgclf doctor`."""

from __future__ import annotations

import typer

from imgclf.cli.options import DataDir, Debug, Json, RunsDir

WORDS = {"ok": "", "note": "note", "stops": "STOPS"}


def doctor(data_dir: DataDir = None, runs_dir: RunsDir = None, json: Json = False, debug: Debug = False) -> None:
    """Look at everything that a run needs: versions, devices, data, folders, and the time of a training step.

    Ends with status 1 where something would stop a run.
    """
    from imgclf.cli.results import print_json
    from imgclf.cli.screen import Terminal
    from imgclf.cli.tables import print_table, print_text
    from imgclf.doctor import doctor as run_doctor

    with Terminal().working(debug, tensorflow=False) as screen:
        findings = run_doctor(data_dir=data_dir, runs_dir=runs_dir, screen=screen)
    stops = [one.name for one in findings if one.status == "stops"]
    if json:
        print_json({"ok": not stops, "findings": [one.to_json() for one in findings]})
    else:
        rows = [[one.topic, one.name, WORDS[one.status], one.found] for one in findings]
        print_table(["about", "what", "", "found"], rows)
        print()
        for one in findings:
            if one.advice:
                print_text(f"{one.name}: {one.advice}")
        print_text(f"what would stop a run: {', '.join(stops)}" if stops else "nothing here would stop a run")
    if stops:
        raise typer.Exit(1)
