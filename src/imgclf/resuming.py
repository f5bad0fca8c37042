"""What `train --resume` goes on from: the run, its experiment, its newest checkpoint, and whether they agree."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from imgclf.datasets.base import Splits
from imgclf.errors import ImgclfError
from imgclf.experiment.differences import ABSENT, Difference, forbidden_changes, is_longer, lasting_digest, length_key
from imgclf.experiment.load import LoadedExperiment, load_experiment
from imgclf.experiment.schema import Experiment
from imgclf.models.classical_heads import ClassicalHead
from imgclf.models.transfer import Transfer
from imgclf.opening import image_counts, write_resumption
from imgclf.pretrained import Pretrained
from imgclf.recording import Recorder
from imgclf.runs.checkpoint_format import Checkpoint
from imgclf.runs.checkpoints import DAMAGED, newest_sound
from imgclf.runs.files import remove_unfinished
from imgclf.runs.find import find_unfinished
from imgclf.runs.folder import RunFolder
from imgclf.runs.provenance import provenance
from imgclf.screen import Screen
from imgclf.texts import command_text
from imgclf.training.devices import DeviceChoice
from imgclf.transfer import as_before


def run_to_resume(
    config: str | Path | None, name: str | None, resume: str | Path | None, runs_dir: Path
) -> RunFolder | None:
    """The run that ``resume`` means; None for a new one. Raises ImgclfError where the arguments contradict."""
    if resume is None:
        if config is None:
            raise ImgclfError("train: needs CONFIG, or a run to go on with", hint="imgclf train --resume latest")
        return None
    if name is not None:
        raise ImgclfError(f"--name {name}: goes with a new run; a run that goes on keeps its name")
    return find_unfinished(str(resume), runs_dir)


def continued(run: RunFolder, asked: LoadedExperiment, device: DeviceChoice | None) -> LoadedExperiment:
    """The experiment that a run goes on with: the one asked for, with what the machine had decided when it began.

    ``device`` is the one that was asked for apart from the experiment. Raises ImgclfError with every key that must not
    change, or where the run is finished and not to become longer.
    """
    old = load_experiment(str(run.experiment)).experiment
    new = _decided_as(old, asked.experiment, device)
    if changes := forbidden_changes(old, new):
        lines = "; ".join(_change_text(one) for one in changes)
        raise ImgclfError(
            f"{run.path}: a run goes on with the experiment that it began with; changed: {lines}",
            hint="take the changes back, or train a new run without --resume",
        )
    record = run.record()
    if record.get("status") == "finished" and not is_longer(old, new):
        longer = f"--set {length_key(new)}=N, with N greater than before, makes its last stage longer"
        is_fitted_at_once = isinstance(new.model.head, ClassicalHead)
        raise ImgclfError(f"{run.path}: is finished", hint=None if is_fitted_at_once else longer)
    return replace(asked, experiment=new, name=str(record.get("name", asked.name)))


def newest_checkpoint(run: RunFolder, experiment: Experiment, say: Callable[[str], None]) -> Checkpoint | None:
    """The run's newest sound checkpoint; None where it is to begin anew. Raises ImgclfError where it can't go on.

    To begin anew removes what the run has measured and its best weights. Only where it had no checkpoint yet, and so at
    most the row that the first one was to be written with, is that no loss.
    """
    found, finished = newest_sound(run.checkpoints, say), run.record().get("status") == "finished"
    if found is None:
        if finished:
            raise ImgclfError(f"{run.path}: has no checkpoint, and can't become longer without one")
        problem = None
        if any(run.checkpoints.glob(DAMAGED)):
            problem = "all checkpoints are damaged"
        elif run.record().get("checkpoints", {}).get("written") or len(run.read_metrics()) > 1:
            problem = (
                f"must hold a checkpoint to go on from; it is {'empty' if run.checkpoints.exists() else 'missing'}"
            )
        if problem:
            raise ImgclfError(
                f"{run.checkpoints}: {problem}; to begin anew would remove what the run has measured and its best "
                "weights",
                hint=f"a new run from the start: {command_text('train', run.experiment)}",
            )
        return None
    if found.experiment != (digest := lasting_digest(experiment)):
        raise ImgclfError(f"{found.path}: must be of the experiment {digest}, the run's; it is of {found.experiment}")
    stage = experiment.stages()[-1]
    if finished and stage.early_stopping and found.states["stopping"]["stop"]:
        raise ImgclfError(f"{run.path}: stopped early after {found.step:,} steps; more epochs would change nothing")
    return found


def resumed_checkpoint(run: RunFolder, experiment: Experiment, screen: Screen) -> Checkpoint | None:
    """What the run goes on from; None where it begins anew. Raises ImgclfError where it can't go on."""
    remove_unfinished(run.path)

    def say(text: str) -> None:
        screen.say(text)
        run.write_log(text)

    return newest_checkpoint(run, experiment, say)


def say_resumption(run: RunFolder, experiment: Experiment, resumed: Checkpoint | None, recorder: Recorder) -> None:
    """Say and write after which step the run goes on, and with which other versions of packages."""
    before, stage = load_experiment(str(run.experiment)).experiment, experiment.stages()[-1]
    if is_longer(before, experiment) and stage.schedule.follows_length:
        recorder.say(
            f"made longer: its {stage.schedule.name} schedule is that of the new length from here on, and was that of "
            "the old one before; a run that is as long from its start gives another result"
        )
    versions = changed_versions(run)
    if versions:
        text = ", ".join(f"{name} {version}" for name, version in versions.items())
        recorder.say(f"resumed with other versions than it began with ({text}): digits may differ in the last places")
    write_resumption(run, experiment, resumed.step if resumed else 0, versions)
    recorder.say(f"resumes after step {resumed.step:,}" if resumed else "resumes from the start: it had no checkpoint")


def check_same_weights(run: RunFolder, pretrained: Pretrained | None) -> None:
    """Raise ImgclfError where a run that begins anew would begin with other weights than it did."""
    began_with, found = (run.record().get("pretrained") or {}).get("sha256"), pretrained and pretrained.sha256
    if began_with and found != began_with:
        raise ImgclfError(f"{run.path}: began with weights of SHA-256 {began_with}; found those of {found}")


def check_same_data(run: RunFolder, splits: Splits) -> None:
    """Raise ImgclfError where the images are not those that the run began with."""
    began_with = run.record().get("data", {})
    if splits.fingerprint == began_with.get("fingerprint"):
        return
    before, now = began_with.get("images", {}), image_counts(splits)
    counts = [f"{before.get(name)} {name} images have become {count}" for name, count in now.items()]
    changed = [text for text, (name, count) in zip(counts, now.items(), strict=True) if before.get(name) != count]
    raise ImgclfError(
        f"{run.path}: must go on with the images that it began with; "
        f"{', '.join(changed) or 'as many as there were, with other pixels, labels or names'}",
        hint=f"bring them back, or train anew: {command_text('train', run.experiment)}",
    )


def changed_versions(run: RunFolder) -> dict[str, str]:
    """The packages that have another version than when the run began: bits are promised for one version only."""
    began_with = run.record().get("versions", {})
    return {name: now for name, now in provenance()["versions"].items() if began_with.get(name) != now}


def _decided_as(old: Experiment, new: Experiment, asked: DeviceChoice | None) -> Experiment:
    """``new`` with the machine's decisions of ``old``, where it leaves them open."""
    training, runtime = new.training, new.runtime
    steps_per_call = training.steps_per_call or old.training.steps_per_call
    device = asked or runtime.device
    device = old.runtime.device if device == "auto" else device
    decided = {"device": device, "threads": runtime.threads or old.runtime.threads}
    model = new.model
    if isinstance(model, Transfer) and isinstance(old.model, Transfer):
        model = as_before(model, old.model)
    return new.model_copy(
        update={
            "model": model,
            "training": training.model_copy(update={"steps_per_call": steps_per_call}),
            "runtime": runtime.model_copy(update=decided),
        }
    )


def _change_text(one: Difference) -> str:
    return f"{one.key}: {_value_text(one.first)} became {_value_text(one.second)}"


def _value_text(value: Any) -> str:
    return "nothing" if value is ABSENT else json.dumps(value, ensure_ascii=False)
