"""The job `doctor`: what this machine has for training, and what would stop a run."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from imgclf.children import own_python
from imgclf.datasets import publications
from imgclf.errors import ImgclfError
from imgclf.places import cache_folder, data_folder, runs_folder
from imgclf.pretrained import FOLDER as WEIGHTS
from imgclf.pretrained import keras_cache
from imgclf.runs.provenance import processor
from imgclf.screen import Screen, Silent
from imgclf.startup import choose_kernels, import_lean
from imgclf.texts import few, size_text

Status = Literal["ok", "note", "stops"]
LEAST_FREE_BYTES = 10**8  # a run of a small network takes a few MB, one of VGG16 some hundreds
PROBE = Path(__file__).with_name("tensorflow_probe.py")
PROBE_SECONDS = 300.0
DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was found, whether it stops a run, what to do; ``figures`` for programs."""

    topic: str
    name: str
    found: str
    status: Status = "ok"
    advice: str | None = None
    figures: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As `doctor --json` prints it."""
        return {
            "topic": self.topic,
            "name": self.name,
            "found": self.found,
            "status": self.status,
            "advice": self.advice,
            **self.figures,
        }


def doctor(
    *, data_dir: str | Path | None = None, runs_dir: str | Path | None = None, screen: Screen | None = None
) -> list[Finding]:
    """Everything that a run needs, looked at: versions, processor and devices, data, folders, and a training step."""
    screen = screen or Silent()
    findings = [*_versions()]
    choose_kernels()  # the probe starts TensorFlow as a run does
    screen.say("starting TensorFlow in a process of its own")
    started, instructions = _probe()
    findings += [started, instructions]
    if started.status == "ok":
        screen.say("timing a training step")
        findings += _computing()
    findings += _data(data_folder(data_dir))
    findings += [
        _folder("runs", runs_folder(runs_dir), "stops"),
        _folder("data", data_folder(data_dir), "note"),
        _folder("cache", cache_folder(), "note"),
    ]
    return findings


def _versions() -> Iterator[Finding]:
    """Python and the packages that the program needs, each against the versions that the program asks for."""
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    own = metadata.metadata("imgclf")
    yield Finding("version", "imgclf", str(own["Version"]))
    yield _version("python", platform.python_version(), SpecifierSet(own["Requires-Python"] or ""))
    for text in metadata.requires("imgclf") or []:
        needed = Requirement(text)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            yield _version(needed.name, _installed(needed.name), needed.specifier)


def _version(name: str, found: str | None, wanted: Any) -> Finding:
    if found is None:
        return Finding("version", name, "not installed", "stops", f"pip install '{name}{wanted}'")
    if not wanted.contains(found, prereleases=True):
        return Finding("version", name, f"{found}, but {wanted} is needed", "stops", f"pip install '{name}{wanted}'")
    return Finding("version", name, found)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _probe() -> tuple[Finding, Finding]:
    """Whether TensorFlow starts and computes, and which instructions of the processor its kernels use."""
    command = own_python("import runpy; runpy.run_path(sys.argv[1], run_name='__main__')", str(PROBE))
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            env={**os.environ, "ONEDNN_VERBOSE": "1"},
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return _no_start(f"no end after {PROBE_SECONDS:g} s"), _instructions("")
    if ended.returncode:
        lines = ended.stderr.strip().splitlines()
        return _no_start(lines[-1] if lines else f"status {ended.returncode}"), _instructions(ended.stdout)
    return Finding("computing", "TensorFlow", "starts and computes"), _instructions(ended.stdout)


def _no_start(reason: str) -> Finding:
    advice = "install TensorFlow anew for this Python and this processor"
    return Finding("computing", "TensorFlow", f"does not start: {reason}", "stops", advice)


def _instructions(output: str) -> Finding:
    """The processor, and what oneDNN says of it; bfloat16 is fast where it has instructions for it."""
    isa = re.search(r"cpu,isa:(.+)", output)
    if isa is None:
        return Finding("computing", "processor", f"{processor()}; oneDNN's kernels are not used", "note")
    has_bfloat16 = "bfloat16" in isa[1]
    gain = "" if has_bfloat16 else "; no instructions for bfloat16, which is emulated and slow"
    return Finding("computing", "processor", f"{processor()}; kernels for {isa[1].strip()}{gain}")


def _computing() -> Iterator[Finding]:
    """The devices and threads that a run takes by itself, and the time of a step on them."""
    import_lean()
    from imgclf.step_time import BATCH, step_seconds
    from imgclf.training.devices import choose_devices

    devices = choose_devices("auto", None)
    if devices.kind == "gpu":
        yield Finding("computing", "device", devices.note)
    else:
        yield Finding("computing", "device", devices.note, "note", _gpu_advice())
    yield Finding("computing", "threads", f"{devices.threads} for one operation, of {os.cpu_count()} cores")
    seconds = step_seconds(devices)
    images = BATCH / seconds
    found = f"{seconds * 1e3:.2f} ms, {images:,.0f} images a second (LeNet, {BATCH} images of 28x28, float32)"
    figures = {"milliseconds": seconds * 1e3, "images_per_second": images}
    yield Finding("computing", "training step", found, figures=figures)


def _gpu_advice() -> str:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden in ("", "-1"):
        return f'CUDA_VISIBLE_DEVICES is "{hidden}", which hides every GPU: unset it'
    if DRIVER.exists():
        return "an NVIDIA driver is loaded: install imgclf[gpu] for CUDA's libraries"
    return "no NVIDIA driver is loaded; without such a GPU nothing is to be done"


def _data(folder: Path) -> Iterator[Finding]:
    """The published data sets that are found, what else lies in the data folder, and published weights."""
    missing, known = [], {WEIGHTS}
    for name, publication in publications().items():
        try:
            place = publication.find(folder)
        except ImgclfError as error:
            yield Finding("data", name, str(error), "note", error.hint)
            continue
        if place is None:
            missing.append(name)
        else:
            known.update(one.name for one in folder.glob("*") if str(one) in place)
            yield Finding("data", name, place)
    if missing:
        yield Finding("data", "not found", ", ".join(missing), "note", "`imgclf data download` fetches them")
    others = sorted(one.name for one in folder.glob("[!.]*") if one.name not in known and _may_be_data(one))
    if others:
        yield Finding("data", "others there", few(others, 12))
    weights = sorted(file.name for place in (folder / WEIGHTS, keras_cache()) for file in place.glob("*.h5"))
    yield Finding("data", "weights", few(weights, 12) if weights else f"none in {folder / WEIGHTS} or Keras' cache")


def _may_be_data(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() in (".npz", ".h5", ".hdf5", ".zip")


def _folder(name: str, path: Path, otherwise: Status) -> Finding:
    """Whether a folder, or the one that it would be made in, can be written to, and the free space there."""
    there = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
    new = "" if there == path.absolute() else ", not there yet"
    try:
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as error:
        variable = f"--{name}-dir or IMGCLF_{name.upper()}_DIR" if name != "cache" else "IMGCLF_CACHE_DIR"
        reason = f"{path}{new}: can't be written to: {error.strerror}"
        return Finding("folder", name, reason, otherwise, f"name another by {variable}")
    found, figures = f"{path}{new}, writable, {size_text(free)} free", {"free_bytes": free}
    if free < LEAST_FREE_BYTES:
        return Finding("folder", name, found, otherwise, "free some space", figures)
    return Finding("folder", name, found, figures=figures)
