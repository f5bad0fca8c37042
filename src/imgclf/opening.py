"""The opening of a run: what it is made of, into its folder and onto the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from imgclf.datasets.base import Splits
from imgclf.evaluation.settings import averaging_text
from imgclf.experiment.load import LoadedExperiment, experiment_text
from imgclf.experiment.schema import Experiment
from imgclf.models.classical_heads import ClassicalHead
from imgclf.models.heads import cut
from imgclf.recording import Recorder
from imgclf.runs.files import write_whole
from imgclf.runs.folder import RunFolder
from imgclf.runs.process import this_process
from imgclf.runs.provenance import provenance
from imgclf.texts import few
from imgclf.training.devices import Devices
from imgclf.training.dropout import random_layers
from imgclf.training.trainable import set_trainable, trainable_text

if TYPE_CHECKING:
    import keras


def write_start(
    run: RunFolder,
    loaded: LoadedExperiment,
    experiment: Experiment,
    splits: Splits,
    devices: Devices,
    model: keras.Model,
    stages: Sequence[StageLayers],
    overrides: Sequence[str],
) -> None:
    """Write the complete experiment, the files that are left out, and the first entries of run.json."""
    write_whole(run.experiment, experiment_text(experiment))
    if splits.quarantine:
        run.write_quarantine((str(one.file), one.reason) for one in splits.quarantine)
    run.update(
        status="running",
        name=loaded.name,
        config=str(loaded.path),
        overrides=list(overrides),
        digest=experiment.digest(),
        seed=experiment.seed,
        started=now(),
        process=this_process(),
        **provenance(),
        devices=list(devices.names),
        device_note=devices.note,
        parameters=model.count_params(),
        trained_layers=[list(stage.layers) for stage in stages] or "all",
        evaluation=experiment.evaluation.model_dump(mode="json"),
        data={
            "dataset": experiment.dataset.name,
            "notes": list(splits.notes),
            "fingerprint": splits.fingerprint,
            "image_shape": list(splits.train.pixels.image_shape),
            "targets": [{"name": one.name, "class_names": list(one.class_names)} for one in splits.targets],
            "images": image_counts(splits),
            "unreadable": len(splits.unreadable()),
            "unlabelled": len(splits.unlabelled()),
        },
    )


def write_resumption(run: RunFolder, experiment: Experiment, step: int, versions: Mapping[str, str]) -> None:
    """Write that a run goes on after ``step`` steps, and with which other ``versions`` of packages."""
    write_whole(run.experiment, experiment_text(experiment))
    resumes = run.record().get("resumes", [])
    this_time = {"at": now(), "step": step, **({"versions": dict(versions)} if versions else {})}
    run.update(status="running", digest=experiment.digest(), process=this_process(), resumes=[*resumes, this_time])


@dataclass(frozen=True)
class StageLayers:
    """The layers that a stage trains, all by name, and the same for the user."""

    layers: tuple[str, ...]
    text: str


def layers_of_stages(experiment: Experiment, model: keras.Model) -> list[StageLayers]:
    """What each stage trains, where that is not simply all. Raises ImgclfError where it names no layer."""
    stages, (body, head), found = experiment.stages(), cut(model), []
    if isinstance(experiment.model.head, ClassicalHead):
        text = f"the body stays as it is; {experiment.model.head.name} is fitted on its features, at once"
        return [StageLayers(tuple(layer.name for layer in head.layers if layer.weights), text)]
    for number, stage in enumerate(stages, 1):
        layers = set_trainable(model, head, stage.trainable, bool(stage.freeze_batch_normalization))
        which = f"stage {number} trains" if len(stages) > 1 else "trains"
        names = tuple(layer.name for layer in layers)
        resting = [layer.name for layer in random_layers(body)] if stage.trainable == "head" else []
        rests = f"; the body's dropout rests: {few(resting)}" if resting else ""
        found.append(StageLayers(names, f"{which} {trainable_text(layers, model)}{rests}"))
    is_plain = all(stage.trainable == "all" for stage in stages) and not experiment.model.starts_trained()
    return [] if is_plain else found


def say_start(
    recorder: Recorder,
    run: RunFolder,
    experiment: Experiment,
    splits: Splits,
    devices: Devices,
    model: keras.Model,
    stages: Sequence[StageLayers],
) -> None:
    """Say what was found: data, counts, model, what each stage trains, device, folder."""
    counts = ", ".join(f"{count:,} {split}" for split, count in image_counts(splits).items())
    height, width, channels = model.input_shape[1:]
    classes = " + ".join(str(len(target.class_names)) for target in splits.targets)
    for note in splits.notes:
        recorder.say(f"data    {note}")
    recorder.say(f"        {counts} images of {height}x{width}x{channels}; {classes} classes")
    for what, _ in splits.left_out():
        recorder.say(f"        {what} left out: see {run.quarantine}")
    averaging = averaging_text(experiment.evaluation.test_time_augmentation)
    recorder.say(f"model   {experiment.model.name}, {model.count_params():,} parameters{averaging}")
    for note in experiment.model.notes((height, width, channels)):
        recorder.say(f"        {note}")
    for stage in stages:
        recorder.say(f"        {stage.text}")
    recorder.say(f"device  {devices.note}; {experiment.training.precision}, {experiment.runtime.threads} threads")
    recorder.say(f"run     {run.path}")


def now() -> str:
    """The time on this machine's clock, to the second, with its zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def image_counts(splits: Splits) -> dict[str, int]:
    """Images of each split that a run uses, by the split's name."""
    validation = len(splits.validation) if splits.validation else 0
    return {"train": len(splits.train), "validation": validation, "test": splits.test_images}
