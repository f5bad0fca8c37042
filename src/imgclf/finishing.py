"""The end of a run: its report, its pictures, what its curves say, and that `predict` agrees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from imgclf.datasets.base import Splits
from imgclf.datasets.pixels.rounded import rounded
from imgclf.errors import WorkFailed
from imgclf.evaluate import evaluate_split, record_test
from imgclf.evaluation.diagnosis import Diagnosis, chance_of, diagnose, of_a_fit_at_once
from imgclf.evaluation_files import write_evaluation
from imgclf.experiment.schema import Experiment
from imgclf.experiment.stage_keys import keys_to_change
from imgclf.images.fit import ImageFit
from imgclf.inference import Forward
from imgclf.recording import Recorder
from imgclf.runs.folder import RunFolder
from imgclf.serving import check_serving
from imgclf.training.progress import Outcome
from imgclf.training.settings import TrainingSettings
from imgclf.training.task import Images, Task

INK_IMAGES = 60_000  # all of MNIST, where looking takes a second; of larger data this many, evenly spread


def refuse_not_finite(outcome: Outcome, run: RunFolder, training: TrainingSettings) -> None:
    """Raise WorkFailed where a loss or gradient was not finite, after writing down which."""
    if outcome.not_finite is None:
        return
    (step, epoch), keys = outcome.not_finite, keys_to_change(training, outcome.stage)
    run.update(not_finite={"step": step, "epoch": epoch})
    raise WorkFailed(
        f"{run.path}: the loss or a gradient of step {step} (epoch {epoch}) is not finite; training stopped there",
        hint=f"{run.last_weights} holds the weights before that step; try a smaller {keys['learning_rate']} or "
        f"{keys['clip_norm']}",
    )


def finish_run(
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
    record_test(run, evaluation)
    write_evaluation(run, evaluation)
    diagnosis = diagnosis_of(outcome, splits, keys_to_change(experiment.training))
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


def diagnosis_of(outcome: Outcome, splits: Splits, keys: Mapping[str, str]) -> Diagnosis:
    """What the rows of a finished run say about its fit; ``keys`` are those of the settings that advice names."""
    if outcome.history and outcome.history[0]["learning_rate"] is None:
        return of_a_fit_at_once(outcome.history[0])
    judged = splits.validation or splits.train
    chance, stopped_early = chance_of(judged.labels), outcome.stopped_early
    return diagnose(outcome.history, chance, len(judged), stopped_early=stopped_early, keys=keys)


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
