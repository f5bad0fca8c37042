"""The job `train`: from an experiment file to a run folder. Start reading here."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf.classical import fit_classical
from imgclf.datasets.base import Split, Splits
from imgclf.datasets.pixels.rounded import rounded
from imgclf.datasets.pixels.shaped import shaped
from imgclf.errors import ImgclfError, WorkFailed
from imgclf.evaluate import evaluate_split
from imgclf.evaluation.diagnosis import Diagnosis, chance_of, diagnose, of_a_fit_at_once
from imgclf.evaluation_files import write_evaluation
from imgclf.experiment.differences import lasting_digest
from imgclf.experiment.load import LoadedExperiment, load_experiment
from imgclf.experiment.schema import Experiment, class_problems, schedule_problems, shape_problems, validation_problems
from imgclf.features import with_stored_features
from imgclf.images.fit import ImageFit
from imgclf.inference import Forward
from imgclf.interruption import Interrupted
from imgclf.loading import image_fit, load_splits, say_undrawable
from imgclf.models.classical_heads import ClassicalHead
from imgclf.models.cost import multiply_adds
from imgclf.models.heads import build_model, cut
from imgclf.opening import layers_of_stages, now, say_start, write_resumption, write_start
from imgclf.places import runs_folder
from imgclf.preprocessing import Preprocessing
from imgclf.preprocessing.fit import fit as fit_preprocessing
from imgclf.pretrained import Pretrained, check_given_weights, load_pretrained
from imgclf.recording import Recorder
from imgclf.resuming import changed_versions, check_same_data, continued, newest_checkpoint
from imgclf.runs.arrays import save_arrays
from imgclf.runs.checkpoints import Checkpoint
from imgclf.runs.files import remove_unfinished
from imgclf.runs.find import find_unfinished
from imgclf.runs.folder import RunFolder, create_run_folder
from imgclf.runs.process import sole_trainer
from imgclf.runs.provenance import peak_memory
from imgclf.screen import Screen, Silent
from imgclf.serving import check_serving
from imgclf.startup import choose_kernels
from imgclf.trained import Source
from imgclf.training.class_weights import class_weights
from imgclf.training.devices import DeviceChoice, Devices, choose_devices, make_deterministic
from imgclf.training.loop import fit
from imgclf.training.precision import computing_in
from imgclf.training.progress import Outcome
from imgclf.training.task import Images, Task
from imgclf.transfer import earlier_preprocessing, load_earlier_weights, with_earlier_network

if TYPE_CHECKING:
    import keras

CHUNK_MULTIPLY_ADDS = 2e11  # forward and backward; five seconds at the 40e9 a second of LeNet on two AVX2 cores
CHUNK_BYTES, CHUNK_STEPS = 2**20, 64
INK_IMAGES = 60_000  # all of MNIST, where looking takes a second; of larger data this many, evenly spread


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
        old = _run_to_resume(config, name, resume, runs_folder(runs_dir))
        if old:
            held.enter_context(sole_trainer(old))
        wanted = load_experiment(str(config or (old and old.experiment)), overrides)
        loaded, earlier = with_earlier_network(wanted, runs_folder(runs_dir))
        if old:
            loaded, device = continued(old, loaded, device), None
        check_given_weights(loaded.experiment.model, data_dir)
        splits = load_splits(loaded.experiment, data_dir, screen)
        devices = choose_devices(device or loaded.experiment.runtime.device, loaded.experiment.runtime.threads)
        _check_data(loaded, splits, devices)
        model = _build(loaded.experiment, splits, devices)
        if earlier:
            pretrained: Pretrained | None = load_earlier_weights(model, earlier)
        else:
            pretrained = load_pretrained(model, loaded.experiment.model, data_dir)
        stages = layers_of_stages(loaded.experiment, model)
        experiment = _resolved(loaded.experiment, model, devices)
        resumed = _resumed(old, experiment, splits, screen) if old else None
        run = old or create_run_folder(runs_folder(runs_dir), name or loaded.name, datetime.now())
        if not old:
            held.enter_context(sole_trainer(run))
        screen.log_to(run.log)
        recorder = Recorder(run, experiment.training, screen, lasting_digest(experiment), resumed)
        with _recorded(run, recorder, started, data_dir):
            if old:
                _say_resumption(run, experiment, resumed, recorder)
            else:
                write_start(run, loaded, experiment, splits, devices, model, stages, overrides)
            say_start(recorder, run, experiment, splits, devices, model, stages)
            if pretrained:
                recorder.say(f"weights {pretrained.text()}")
                run.update(pretrained=pretrained.to_json())
            say_undrawable(splits.targets, recorder.say)
            fitting = image_fit(experiment.preprocessing).completed(model.input_shape[1:])
            preprocessing = _fit_preprocessing(run, experiment, model, earlier, fitting, splits, recorder, screen)
            task = _task(experiment, splits, devices, model, fitting, preprocessing)
            with _timed(run, recorder):
                task = with_stored_features(task, experiment, splits, fitting, recorder, screen)
                if isinstance(experiment.model.head, ClassicalHead):
                    task, outcome = fit_classical(task, experiment, splits.targets[0].name, run, recorder)
                else:
                    with recorder.interruption.caught():
                        outcome = fit(task, recorder, resumed.states if resumed else None)
            recorder.draw_graph(task.model)
            _refuse_not_finite(outcome, run)
            report, diagnosis = _finish(run, task, experiment, splits, fitting, recorder, outcome)
    return TrainingResult(run, experiment, report, diagnosis, time.monotonic() - started)


def _run_to_resume(
    config: str | Path | None, name: str | None, resume: str | Path | None, runs_dir: Path
) -> RunFolder | None:
    if resume is None:
        if config is None:
            raise ImgclfError("train: needs CONFIG, or a run to go on with", hint="imgclf train --resume latest")
        return None
    if name is not None:
        raise ImgclfError(f"--name {name}: goes with a new run; a run that goes on keeps its name")
    return find_unfinished(str(resume), runs_dir)


def _resumed(run: RunFolder, experiment: Experiment, splits: Splits, screen: Screen) -> Checkpoint | None:
    """What the run goes on from; None where it begins anew."""
    check_same_data(run, splits)
    remove_unfinished(run.path)

    def say(text: str) -> None:
        screen.say(text)
        run.write_log(text)

    return newest_checkpoint(run, experiment, say)


def _say_resumption(run: RunFolder, experiment: Experiment, resumed: Checkpoint | None, recorder: Recorder) -> None:
    versions = changed_versions(run)
    if versions:
        text = ", ".join(f"{name} {version}" for name, version in versions.items())
        recorder.say(f"resumed with other versions than it began with ({text}): digits may differ in the last places")
    write_resumption(run, experiment, resumed.step if resumed else 0, versions)
    recorder.say(f"resumes after step {resumed.step:,}" if resumed else "resumes from the start: it had no checkpoint")


@contextmanager
def _timed(run: RunFolder, recorder: Recorder) -> Iterator[None]:
    """Add the block's seconds, and those of its checkpoints, to the run's, however it ends."""
    record, started = run.record(), time.monotonic()
    before = record.get("checkpoints", {"written": 0, "seconds": 0.0})
    try:
        yield
    finally:
        run.update(
            training_seconds=round(record.get("training_seconds", 0.0) + time.monotonic() - started, 2),
            checkpoints={
                "written": before["written"] + recorder.checkpoints,
                "seconds": round(before["seconds"] + recorder.checkpoint_seconds, 3),
            },
            peak_memory_bytes=peak_memory(),
        )


def _check_data(loaded: LoadedExperiment, splits: Splits, devices: Devices) -> None:
    """What only the data itself can tell: shapes, classes, and whether there is a batch to train on."""
    experiment, path = loaded.experiment, loaded.path
    misfits = shape_problems(experiment, splits.train.pixels.image_shape) + class_problems(experiment, splits.targets)
    misfits += schedule_problems(experiment, len(splits.train))
    misfits += [] if splits.validation else validation_problems(experiment)
    if misfits:
        raise ImgclfError("; ".join(f"{path}: {'.'.join(map(str, one.path))}: {one.message}" for one in misfits))
    for stage in () if isinstance(experiment.model.head, ClassicalHead) else experiment.stages():
        if stage.batch_size > len(splits.train):
            found = f"the training split has {len(splits.train)} images"
            raise ImgclfError(
                f"{path}: training.batch_size: {found}; a batch of {stage.batch_size} is larger",
                hint=f"set it to {len(splits.train)} or less; a step is made of whole batches",
            )
        if stage.batch_size % len(devices.names):
            found = f"{stage.batch_size} images can't be shared evenly by {len(devices.names)} devices"
            raise ImgclfError(f"{path}: training.batch_size: {found}")


def _build(experiment: Experiment, splits: Splits, devices: Devices) -> keras.Model:
    """The network with its first weights, which depend on the seed alone."""
    import keras

    keras.utils.set_random_seed(experiment.seed)
    if experiment.runtime.deterministic:
        make_deterministic(devices)
    classes = {target.name: len(target.class_names) for target in splits.targets}
    shape = experiment.preprocessing.output_shape(splits.train.pixels.image_shape)
    with devices.strategy.scope(), computing_in(experiment.training.precision):
        return build_model(experiment.model, shape, classes)


def _resolved(experiment: Experiment, model: keras.Model, devices: Devices) -> Experiment:
    """The experiment with what this machine decides filled in: device, threads, steps in a call."""
    training, runtime = experiment.training, experiment.runtime
    batch = max(stage.batch_size for stage in training.resolved_stages())
    steps = training.steps_per_call or _steps_per_call(model, batch)
    return experiment.model_copy(
        update={
            "training": training.model_copy(update={"steps_per_call": steps}),
            "runtime": runtime.model_copy(update={"device": devices.kind, "threads": devices.threads}),
        }
    )


def _steps_per_call(model: keras.Model, batch: int) -> int:
    """As many steps as bounds of work and of pixels' memory allow, 64 at most."""
    by_work = CHUNK_MULTIPLY_ADDS / (multiply_adds(model) * 3 * batch + 1)
    by_memory = CHUNK_BYTES / (int(np.prod(model.input_shape[1:])) * batch)
    return int(max(1, min(by_work, by_memory, CHUNK_STEPS)))


@contextmanager
def _recorded(run: RunFolder, recorder: Recorder, started: float, data_dir: str | Path | None) -> Iterator[None]:
    """Keep the run's status true however the block ends."""
    status, before = "failed", run.record().get("seconds", 0.0) if run.record_file.exists() else 0.0
    try:
        yield
        status = "finished"
    except BaseException as error:
        status = "failed" if isinstance(error, Exception) else "interrupted"
        if status == "interrupted":
            kept = run.best_weights if run.best_weights.exists() else "no weights"
            recorder.say(f"interrupted: {run.path} keeps the measurements so far and {kept}")
            data = ["--data-dir", str(data_dir)] if data_dir else []
            recorder.say(f"go on with: {shlex.join(['imgclf', 'train', '--resume', str(run.path), *data])}")
        if isinstance(error, Interrupted):
            error.is_told = True
        raise
    finally:
        # Where the disk is full, the reason that ended the run is told, and not that its end could not be recorded.
        with suppress(*(() if status == "finished" else (WorkFailed,))):
            run.update(status=status, ended=now(), seconds=round(before + time.monotonic() - started, 2))
        recorder.close()


def _fit_preprocessing(
    run: RunFolder,
    experiment: Experiment,
    model: keras.Model,
    earlier: Source | None,
    fitting: ImageFit,
    splits: Splits,
    recorder: Recorder,
    screen: Screen,
) -> Preprocessing:
    """The preprocessing, fitted on the training images and stored in the run, where there is something to fit.

    Weights of an earlier run come with what that run fitted.
    """
    shape = model.input_shape[1:]
    if earlier and (taken := earlier_preprocessing(experiment.preprocessing, shape, earlier)):
        recorder.say("fitted  preprocessing: as the earlier run fitted it on its own images")
        sha256 = save_arrays(run.preprocessing, taken.fitted)
        run.update(preprocessing={**(earlier.record.get("preprocessing") or {}), "sha256": sha256})
        return taken
    pixels = shaped(splits.train.pixels, fitting)
    fitted = fit_preprocessing(experiment.preprocessing, pixels, shape, screen.progress)
    for note in fitted.notes:
        recorder.say(f"fitted  {note}")
    if fitted.record:
        sha256 = save_arrays(run.preprocessing, fitted.preprocessing.fitted)
        run.update(preprocessing={**fitted.record, "sha256": sha256})
    return fitted.preprocessing


def _task(
    experiment: Experiment,
    splits: Splits,
    devices: Devices,
    model: keras.Model,
    fitting: ImageFit,
    preprocessing: Preprocessing,
) -> Task:
    stages = experiment.stages()
    body, head = cut(model)
    return Task(
        model=model,
        body=body,
        head=head,
        strategy=devices.strategy,
        settings=experiment.training,
        stages=stages,
        preprocessing=preprocessing,
        augmentations=experiment.augmentation,
        train=_images(splits.train, fitting),
        validation=_images(splits.validation, fitting) if splits.validation else None,
        class_weights=tuple(
            tuple(
                class_weights(stage.class_weight, splits.train.labels[:, i], target.class_names)
                for i, target in enumerate(splits.targets)
            )
            for stage in stages
        ),
        seed=experiment.seed,
        test_time_augmentation=experiment.evaluation.test_time_augmentation,
    )


def _images(split: Split, fitting: ImageFit) -> Images:
    return Images(shaped(split.pixels, fitting), split.labels)


def _refuse_not_finite(outcome: Outcome, run: RunFolder) -> None:
    if outcome.not_finite is None:
        return
    step, epoch = outcome.not_finite
    run.update(not_finite={"step": step, "epoch": epoch})
    raise WorkFailed(
        f"{run.path}: the loss or a gradient of step {step} (epoch {epoch}) is not finite; training stopped there",
        hint=f"{run.last_weights} holds the weights before that step; try a smaller training.optimizer.learning_rate "
        "or training.clip_norm",
    )


def _finish(
    run: RunFolder,
    task: Task,
    experiment: Experiment,
    splits: Splits,
    fitting: ImageFit,
    recorder: Recorder,
    outcome: Outcome,
) -> tuple[dict[str, Any], Diagnosis]:
    """Evaluate the final weights on the test split, write what the run leaves, and see that `predict` agrees."""
    for reason in outcome.stopped:
        recorder.say(reason)
    if task.settings.tensorboard.projector and task.validation is not None:
        recorder.project(*_features(task, task.validation, splits))
    averaging, image_layer = task.test_time_augmentation, experiment.model.image_layer()
    forward = Forward(task.model, task.preprocessing.apply, averaging, image_layer)
    evaluation = evaluate_split(forward, splits, "test", fitting, experiment.evaluation)
    evaluation.report["weights"] = f"{recorder.reported}.weights.h5"
    write_evaluation(run, evaluation)
    diagnosis = _diagnose(outcome, splits)
    run.update(
        ink=_ink(splits.train.pixels),
        reported_weights=recorder.reported,
        accuracy=evaluation.report["accuracy"],
        steps=outcome.steps,
        stopped=outcome.stopped,
        diagnosis={"kind": diagnosis.kind, "seen": diagnosis.seen, "advice": diagnosis.advice},
    )
    check_serving(run, forward, splits, fitting)
    return evaluation.report, diagnosis


def _diagnose(outcome: Outcome, splits: Splits) -> Diagnosis:
    if outcome.history and outcome.history[0]["learning_rate"] is None:
        return of_a_fit_at_once(outcome.history[0])
    judged = splits.validation or splits.train
    return diagnose(outcome.history, chance_of(judged.labels), len(judged), stopped_early=bool(outcome.stopped))


def _features(task: Task, images: Images, splits: Splits) -> tuple[Any, dict[str, list[str]]]:
    """The images' features, float32 (images, numbers), and by target their class names."""
    features = Forward(task.body, task.preprocessing.apply).logits(images.pixels)[0]
    labels = {
        target.name: [target.class_names[label] for label in images.labels[:, column]]
        for column, target in enumerate(splits.targets)
    }
    return features.reshape(len(features), -1), labels


def _ink(pixels: Any) -> dict[str, Any] | None:
    """How white ink sits in the data's grey images; None where they are no such drawings."""
    from imgclf.images.ink import measure_ink

    if pixels.image_shape[2] != 1:
        return None
    positions = np.linspace(0, len(pixels) - 1, min(INK_IMAGES, len(pixels))).astype(np.int64)
    style = measure_ink(rounded(pixels).take(positions))
    return style.to_json() if style else None
