"""What a run's folder says, in words: for `imgclf runs`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from imgclf.texts import command_text, shape_text

if TYPE_CHECKING:
    from imgclf.runs.folder import RunFolder


def run_story(run: RunFolder) -> Iterator[tuple[str, str]]:
    """Pairs of a label and a text; an empty label goes on with the one before."""
    record = run.record()
    yield "run", run.name
    yield "status", _status(run, record)
    yield "folder", str(run.path.absolute())
    yield "config", _config(record)
    yield from _data(record.get("data", {}))
    yield "model", _model(run, record)
    yield "device", str(record.get("device_note", "unknown"))
    yield from _result(run)
    yield from _times(record)
    yield "versions", ", ".join(f"{name} {version}" for name, version in record.get("versions", {}).items())
    yield "machine", _machine(record.get("machine", {}))
    yield from _diagnosis(record.get("diagnosis") or {})
    yield "files", ", ".join(sorted(_files(run)))


def _status(run: RunFolder, record: dict[str, Any]) -> str:
    from imgclf.runs.process import DIED, status_of

    status = status_of(record)
    if status in ("running", "finished"):
        return status
    who = f" (process {record['process']['pid']})" if status == DIED else ""
    return f"{status}{who}; `{command_text('train', '--resume', run.path)}` goes on"


def _files(run: RunFolder) -> Iterator[str]:
    return (path.name + "/" * path.is_dir() for path in run.path.iterdir() if not path.name.startswith("."))


def moment(value: Any) -> str:
    """A time of run.json to the minute, on the clock of the machine that wrote it; "-" where there is none."""
    try:
        return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M}"
    except (TypeError, ValueError):
        return "-"


def duration(value: Any) -> str:
    """Seconds as people say them: "25.3 s", "4 min 10 s", "2 h 05 min"; "-" where there are none."""
    if not isinstance(value, int | float):
        return "-"
    if value < 60:
        return f"{value:.1f} s"
    minutes, seconds = divmod(round(value), 60)
    return f"{minutes} min {seconds:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def _config(record: dict[str, Any]) -> str:
    parts = [str(record.get("config", "unknown")), *(f"--set {override}" for override in record.get("overrides", ()))]
    return f"{' '.join(parts)}; seed {record.get('seed')}, digest {record.get('digest')}"


def _data(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    counts = ", ".join(f"{count:,} {split}" for split, count in data.get("images", {}).items())
    shape = shape_text(data.get("image_shape", ()))
    classes = " + ".join(str(len(target["class_names"])) for target in data.get("targets", ()))
    yield "data", f"{data.get('dataset')}: {counts} images of {shape}; {classes} classes"
    yield from (("", str(note)) for note in data.get("notes", ()))


def _model(run: RunFolder, record: dict[str, Any]) -> str:
    from imgclf.experiment.load import load_experiment

    name = load_experiment(str(run.experiment)).experiment.model.name
    parameters = record.get("parameters")
    return f"{name}, {parameters:,} parameters" if isinstance(parameters, int) else name


def _result(run: RunFolder) -> Iterator[tuple[str, str]]:
    from imgclf.cli.results import accuracy_texts
    from imgclf.runs.folder import read_json

    texts = accuracy_texts(read_json(run.report)) if run.report.is_file() else [f"no report; {_so_far(run)}"]
    yield from (("" if number else "result", text) for number, text in enumerate(texts))


def _so_far(run: RunFolder) -> str:
    """The last row of metrics.csv, shortly."""
    import csv

    text = run.metrics.read_text(encoding="utf-8") if run.metrics.is_file() else ""
    rows = list(csv.DictReader(text.splitlines()))
    if not rows:
        return "nothing was measured yet"
    told = {name: rows[-1].get(name) for name in ("epoch", "step", "accuracy", "validation_accuracy")}
    return "last measured: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in told.items() if value)


def _times(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "began", moment(record.get("started"))
    if resumes := record.get("resumes"):
        yield (
            "resumed",
            f"{len(resumes)} times, last after step {resumes[-1].get('step')}, {moment(resumes[-1].get('at'))}",
        )
    if "seconds" in record:
        text = f"{duration(record['seconds'])}, of which training {duration(record.get('training_seconds'))}"
        written = record.get("checkpoints")
        yield (
            "took",
            text + (f", with {written['seconds']:.2g} s for {written['written']} checkpoints" if written else ""),
        )


def _machine(machine: dict[str, Any]) -> str:
    return ", ".join(f"{value} cores" if name == "cores" else str(value) for name, value in machine.items())


def _diagnosis(diagnosis: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if diagnosis:
        yield "diagnosis", str(diagnosis["kind"])
        yield from (("", str(sentence)) for sentence in diagnosis["seen"])
        yield from (("", f"try: {advice}") for advice in diagnosis["advice"])
