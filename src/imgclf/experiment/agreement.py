"""What the sections of an experiment must agree on, as mistakes that name every place that decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from imgclf.augmentation import AugmentationUnion
from imgclf.augmentation.base import mixes
from imgclf.datasets.base import Target
from imgclf.experiment.problems import KeyPath
from imgclf.experiment.stage_keys import keyed_stages
from imgclf.models.base import ModelSettings
from imgclf.models.classical_heads import ClassicalHead
from imgclf.settings import ImageShape, Misfit
from imgclf.training.class_weights import check as check_class_weight
from imgclf.training.schedules import Cosine, ReduceOnPlateau
from imgclf.training.settings import StageSettings, TrainingSettings
from imgclf.training.stopping import EarlyStoppingSettings

if TYPE_CHECKING:
    from imgclf.experiment.schema import Experiment


def section_problems(experiment: Experiment) -> list[Misfit]:
    """Everything that two sections disagree on, as far as is known before the data is read."""
    problems = [*_validation_problems(experiment), *schedule_problems(experiment), *_mixing_problems(experiment)]
    problems += _classical_problems(experiment)
    problems += _entrance_problems(experiment)
    shape, targets = experiment.dataset.known_shape(), experiment.dataset.known_targets()
    problems += shape_problems(experiment, shape) if shape else []
    problems += class_problems(experiment, targets) if targets else []
    return problems


def too_small(model: ModelSettings, shape: ImageShape) -> str | None:
    """Why the model can't be built for images of this shape, or None where it can."""
    if message := model.image_problem(shape):
        return message
    height, width, _ = shape
    least_height, least_width = model.smallest_image()
    if height >= least_height and width >= least_width:
        return None
    found = f"images of {height}x{width} pixels are too small for this model"
    return f"{found}: it needs {least_height}x{least_width} or more"


def shape_problems(experiment: Experiment, shape: ImageShape) -> list[Misfit]:
    """What images of this shape don't fit, the model or the whitening; ``shape`` is that before preprocessing."""
    preprocessing, size = experiment.preprocessing, (("preprocessing", "size"),)
    seen = preprocessing.output_shape(shape)
    problems = []
    if message := too_small(experiment.model, seen):
        problems.append(Misfit(("model",), f"{message}; set preprocessing.size", others=size))
    if preprocessing.whitening and (message := preprocessing.whitening.problem(seen)):
        problems.append(Misfit(("preprocessing", "whitening"), message, others=size))
    return problems


def head_problems(model: ModelSettings, classes: Mapping[str, int]) -> list[str]:
    """What does not fit between a model's head and the number of classes of each target."""
    head = model.head
    problems = [f"{head.name} {message}" for one in classes.items() if (message := head.problem(*one))]
    if isinstance(head, ClassicalHead) and len(classes) > 1:
        problems.append(f"{head.name} is for one target; the data has {len(classes)}")
    return problems


def class_problems(experiment: Experiment, targets: tuple[Target, ...]) -> list[Misfit]:
    """What does not fit between the classes of the data and the head, the stages or the evaluation."""
    class_names = [target.class_names for target in targets]
    counts = {target.name: len(target.class_names) for target in targets}
    problems = [Misfit(("model", "head"), message) for message in head_problems(experiment.model, counts)]
    problems += _once(
        Misfit(stage.path("class_weight"), message, others=stage.places("class_weight"))
        for stage in keyed_stages(experiment.training)
        for message in check_class_weight(stage.settings.class_weight, class_names)
    )
    judged = experiment.evaluation.problems(class_names)
    return problems + [Misfit(("evaluation", "positive_class"), message) for message in judged]


def schedule_problems(experiment: Experiment, images: int | None = None) -> list[Misfit]:
    """What does not fit between a stage's schedule and its length.

    ``images`` is the size of the training split. Without it, a length in steps tells no epochs and is not judged.
    """
    problems = []
    for stage in keyed_stages(experiment.training):
        schedule, epochs, steps = stage.settings.schedule, stage.settings.epochs, stage.settings.steps
        steps_per_epoch = (images or 0) // stage.settings.batch_size
        length = steps / steps_per_epoch if steps and steps_per_epoch else epochs
        if not isinstance(schedule, Cosine) or length is None:
            continue
        if message := schedule.warmup_problem(length, steps_per_epoch or None):
            others = stage.places("schedule", "warmup_epochs") + stage.places("epochs") + stage.places("steps")
            problems.append(Misfit(stage.path("schedule", "warmup_epochs"), message, others))
    return _once(problems)


def _entrance_problems(experiment: Experiment) -> list[Misfit]:
    """Pixels that are not 0 to 1, of an experiment whose model brings those into its own range."""
    preprocessing = experiment.preprocessing
    if not experiment.model.has_entrance():
        return []
    brings = f"{experiment.model.name} brings pixels from 0 to 1 to the range that it was published for"
    problems = []
    if preprocessing.scaling != "unit":
        message = f'{brings}; expected "unit", found "{preprocessing.scaling}"'
        problems.append(Misfit(("preprocessing", "scaling"), message, others=(("model", "name"),)))
    for key in preprocessing.parts:
        message = f"{brings}; set {key} to null"
        problems.append(Misfit(("preprocessing", key), message, others=(("model", "name"),)))
    return problems


def _classical_problems(experiment: Experiment) -> list[Misfit]:
    """What a head that is fitted at once has no use for."""
    head, training = experiment.model.head, experiment.training
    if not isinstance(head, ClassicalHead):
        return []
    message, head_key = (
        f"has no effect: the head {head.name} is fitted at once on the body's features",
        ("model", "head"),
    )
    plain = TrainingSettings().resolved_stages()[0]
    keys = [key for key in StageSettings.model_fields if key not in ("class_weight", "augmentation", "batch_size")]
    given = [key for key in keys if getattr(training.resolved_stages()[0], key) != getattr(plain, key)]
    problems = [Misfit(("training", key), message, others=(head_key,)) for key in given if not training.stages]
    if training.stages:
        problems.append(Misfit(("training", "stages"), message, others=(head_key,)))
    if experiment.augmentation:
        problems.append(Misfit(("augmentation",), message, others=(head_key,)))
    if training.validate_every != "epoch":
        problems.append(Misfit(("training", "validate_every"), message, others=(head_key,)))
    if training.tensorboard.summaries_every:
        problems.append(Misfit(("training", "tensorboard", "summaries_every"), message, others=(head_key,)))
    if experiment.evaluation.test_time_augmentation:
        found = f"can't be averaged: {head.name} is fitted and scaled on the features of the images as they are"
        problems.append(Misfit(("evaluation", "test_time_augmentation"), found, others=(head_key,)))
    return problems


def _mixing_problems(experiment: Experiment) -> list[Misfit]:
    """A second augmentation that mixes images in one list: an image would have the labels of four."""
    problems = []
    lists: list[tuple[KeyPath, tuple[AugmentationUnion, ...]]] = [(("augmentation",), experiment.augmentation)]
    for number, stage in enumerate(experiment.training.stages):
        lists.append((("training", "stages", number, "augmentation"), stage.augmentation or ()))
    for path, augmentations in lists:
        mixing = [(i, one.name) for i, one in enumerate(augmentations) if mixes((one,))]
        for i, name in mixing[1:]:
            message = f"{name} mixes images a second time, after {mixing[0][1]}; take one of them out"
            problems.append(Misfit((*path, i), message))
    return problems


def validation_problems(experiment: Experiment) -> list[Misfit]:
    """What asks for validation images, of an experiment that has none."""
    return _once(_users_of_validation(experiment.training))


def _validation_problems(experiment: Experiment) -> list[Misfit]:
    dataset = experiment.dataset
    return [] if dataset.validation_size or dataset.may_bring_validation() else validation_problems(experiment)


def _users_of_validation(training: TrainingSettings) -> Iterator[Misfit]:
    size = ("dataset", "validation_size")
    message = "there is no validation split (dataset.validation_size: 0), so"
    for stage in keyed_stages(training):
        for key in ("early_stopping", "schedule"):
            part = getattr(stage.settings, key)
            if not isinstance(part, (EarlyStoppingSettings, ReduceOnPlateau)):
                continue
            if part.monitor.startswith("validation"):
                found = f'{message} nothing can monitor "{part.monitor}"'
                yield Misfit(stage.path(key, "monitor"), found, others=(size, *stage.places(key, "monitor")))
    if training.tensorboard.projector:
        found = f"{message} there are no images to project"
        yield Misfit(("training", "tensorboard", "projector"), found, others=(size,))


def _once(problems: Iterable[Misfit]) -> list[Misfit]:
    """Without the repetitions that come of several stages with one key of `training`."""
    return list({(problem.path, problem.message): problem for problem in problems}.values())
