"""The job `train`: from an experiment file to a run folder. Start reading here."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from imgclf.assembly import (
    build_network,
    check_data,
    check_network,
    fit_run_preprocessing,
    keeps_memory,
    make_task,
    resolved,
)
from imgclf.classical import fit_classical
from imgclf.errors import WorkFailed
from imgclf.evaluation.diagnosis import Diagnosis
from imgclf.experiment.differences import lasting_digest
from imgclf.experiment.load import load_experiment
from imgclf.experiment.schema import Experiment
from imgclf.features import with_stored_features
from imgclf.finishing import finish_run, refuse_not_finite
from imgclf.interruption import Interrupted
from imgclf.loading import image_fit, load_splits, say_undrawable
from imgclf.models.classical_heads import ClassicalHead
from imgclf.opening import layers_of_stages, now, say_start, write_start
from imgclf.places import runs_folder
from imgclf.pretrained import load_pretrained
from imgclf.recording import Recorder
from imgclf.resuming import (
    check_same_data,
    check_same_weights,
    continued,
    resumed_checkpoint,
    run_to_resume,
    say_resumption,
)
from imgclf.runs.folder import RunFolder, Status, create_run_folder
from imgclf.runs.process import sole_trainer
from imgclf.runs.provenance import memory_bytes, peak_memory
from imgclf.screen import Screen, Silent
from imgclf.startup import choose_kernels, keep_freed_memory
from imgclf.texts import command_text
from imgclf.training.checkpoint import restore_weights
from imgclf.training.devices import DeviceChoice, choose_devices
from imgclf.training.loop import fit
from imgclf.transfer import load_earlier_weights, with_earlier_network


@dataclass(frozen=True)
class TrainingResult:
    """A finished run: its folder, its experiment, its report on the test split, and what its curves say."""

    run: RunFolder
    experiment: Experiment
    report: dict[str, Any]
    diagnosis: Diagnosis
    seconds: float


def train(
    config: str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    name: str | None = None,
    resume: str | Path | None = None,
    device: DeviceChoice | None = None,
    data_dir: str | Path | None = None,
    runs_dir: str | Path | None = None,
    screen: Screen | None = None,
) -> TrainingResult:
    """Train the experiment of CONFIG (a path or a shipped config's name) and write a run folder.

    ``overrides`` are texts ``KEY=VALUE``. ``resume`` is a run to go on with (a path, a name, or ``latest``: the newest
    unfinished one), by default with its own experiment. The test split is read once, after training. Raises
    ImgclfError where the input is wrong, before any training, and WorkFailed where the training fails.
    """
    started, screen = time.monotonic(), screen or Silent()
    choose_kernels()
    with ExitStack() as held:
        old = run_to_resume(config, name, resume, runs_folder(runs_dir))
        if old:
            held.enter_context(sole_trainer(old))
        loaded = load_experiment(str(config or (old and old.experiment)), overrides)
        if old:
            loaded, device = continued(old, loaded, device), None
        resumed = resumed_checkpoint(old, loaded.experiment, screen) if old else None
        published = earlier = None
        if resumed is None:
            loaded, earlier = with_earlier_network(loaded, runs_folder(runs_dir))
            published = check_network(loaded, data_dir)
        splits = load_splits(loaded.experiment, data_dir, screen)
        if old:
            check_same_data(old, splits)
        devices = choose_devices(device or loaded.experiment.runtime.device, loaded.experiment.runtime.threads)
        check_data(loaded, splits, devices)
        model = build_network(loaded.experiment, splits, devices)
        pretrained = load_earlier_weights(model, earlier) if earlier else None
        if published:
            pretrained = load_pretrained(model, loaded.experiment.model, published)
        if resumed:
            restore_weights(model, resumed.states["model"])
        elif old:
            check_same_weights(old, pretrained)
        stages = layers_of_stages(loaded.experiment, model)
        experiment = resolved(loaded.experiment, model, devices)
        run = old or create_run_folder(runs_folder(runs_dir), name or loaded.name, datetime.now())
        if not old:
            held.enter_context(sole_trainer(run))
        screen.log_to(run.log)
        recorder = Recorder(run, experiment.training, screen, lasting_digest(experiment), resumed)
        with _recorded(run, recorder, started, data_dir):
            if old:
                say_resumption(run, experiment, resumed, recorder)
            else:
                write_start(run, loaded, experiment, splits, devices, model, stages, overrides)
            say_start(recorder, run, experiment, splits, devices, model, stages)
            if pretrained:
                recorder.say(f"weights {pretrained.text()}")
                run.update(pretrained=pretrained.to_json())
            run.update(freed_memory=keep_freed_memory(keeps_memory(experiment, model, memory_bytes())))
            say_undrawable(splits.targets, recorder.say)
            fitting = image_fit(experiment.preprocessing).completed(model.input_shape[1:])
            preprocessing = fit_run_preprocessing(run, experiment, model, earlier, fitting, splits, recorder, screen)
            task = make_task(experiment, splits, devices, model, fitting, preprocessing)
            first_stage = resumed.states["run"]["stage"] if resumed else 0
            with _timed(run, recorder):
                task = with_stored_features(task, experiment, splits, fitting, recorder, screen, first_stage)
                if isinstance(experiment.model.head, ClassicalHead):
                    task, outcome = fit_classical(task, experiment, splits.targets[0].name, run, recorder)
                else:
                    with recorder.interruption.caught():
                        outcome = fit(task, recorder, resumed.states if resumed else None)
            recorder.draw_graph(task.model)
            refuse_not_finite(outcome, run, experiment.training)
            report, diagnosis = finish_run(run, task, experiment, splits, fitting, recorder, outcome)
    return TrainingResult(run, experiment, report, diagnosis, time.monotonic() - started)


@contextmanager
def _timed(run: RunFolder, recorder: Recorder) -> Iterator[None]:
    """Add the block's seconds, and those of its checkpoints, to the run's, however it ends."""
    record, started = run.record(), time.monotonic()
    try:
        yield
    except BaseException:
        with suppress(WorkFailed):  # as in ``_recorded``
            _record_costs(run, record, recorder, time.monotonic() - started)
        raise
    _record_costs(run, record, recorder, time.monotonic() - started)


def _record_costs(run: RunFolder, before: dict[str, Any], recorder: Recorder, seconds: float) -> None:
    checkpoints = before.get("checkpoints", {"written": 0, "seconds": 0.0})
    run.update(
        training_seconds=round(before.get("training_seconds", 0.0) + seconds, 2),
        checkpoints={
            "written": checkpoints["written"] + recorder.checkpoints,
            "seconds": round(checkpoints["seconds"] + recorder.checkpoint_seconds, 3),
        },
        peak_memory_bytes=peak_memory(),
    )


@contextmanager
def _recorded(run: RunFolder, recorder: Recorder, started: float, data_dir: str | Path | None) -> Iterator[None]:
    """Keep the run's status true however the block ends."""
    status: Status = "failed"
    before = run.record().get("seconds", 0.0) if run.record_file.exists() else 0.0
    try:
        yield
        status = "finished"
    except BaseException as error:
        status = "failed" if isinstance(error, Exception) else "interrupted"
        if status == "interrupted":
            for line in _interruption_lines(run, data_dir):
                with suppress(WorkFailed):  # the screen has said it, and a log that can't grow is no reason
                    recorder.say(line)
        if isinstance(error, Interrupted):
            error.is_told = True
        raise
    finally:
        seconds = before + time.monotonic() - started
        if status == "finished":
            _record_end(run, status, seconds)
        else:
            with suppress(WorkFailed):  # what ended the run is told, and not that its end could not be recorded
                _record_end(run, status, seconds)
        recorder.close()


def _record_end(run: RunFolder, status: Status, seconds: float) -> None:
    run.update(status=status, ended=now(), seconds=round(seconds, 2))


def _interruption_lines(run: RunFolder, data_dir: str | Path | None) -> list[str]:
    """What an interrupted run keeps, and the command that goes on with it."""
    kept = run.best_weights if run.best_weights.exists() else "no weights"
    data = ["--data-dir", str(data_dir)] if data_dir else []
    return [
        f"interrupted: {run.path} keeps the measurements so far and {kept}",
        f"go on with: {command_text('train', '--resume', run.path, *data)}",
    ]
