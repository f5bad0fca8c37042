"""The experiment: the settings classes of every room joined into one schema, and what two sections must agree on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from imgclf.augmentation import AugmentationUnion
from imgclf.datasets import DatasetUnion
from imgclf.datasets.base import ImageShape, Target
from imgclf.models import ModelUnion
from imgclf.preprocessing import PreprocessingSettings
from imgclf.settings import Count, Misfit, Misfits, Settings
from imgclf.training.class_weights import check as check_class_weight
from imgclf.training.schedules import ReduceOnPlateau
from imgclf.training.settings import StageSettings, TrainingSettings

Share = Annotated[float, Field(ge=0, le=1)]


class RuntimeSettings(Settings):
    """The section ``runtime``: the machine's part."""

    device: Literal["auto", "cpu", "gpu"] = Field("auto", description="`auto`: every GPU that there is, else the CPU.")
    threads: Count | None = Field(None, description="Threads for one operation on the CPU. null: as many as cores.")
    deterministic: bool = Field(
        True, description="The same file gives the same bits on one machine. Costs time on a GPU, nothing on a CPU."
    )


class ReferenceAccuracy(Settings):
    """Accuracy on the test split over the seeds of a reference."""

    mean: Share = Field(description="Mean over the seeds.")
    minimum: Share = Field(description="Least of the seeds.")
    maximum: Share = Field(description="Greatest of the seeds.")
    standard_error: Share = Field(description="Binomial standard error of one seed's accuracy: the test split's size.")


class Reference(Settings):
    """The section ``reference``: what this config was measured to reach; written by a script, never by hand."""

    accuracy: ReferenceAccuracy = Field(description="Accuracy on the test split.")
    seeds: tuple[int, ...] = Field(min_length=1, description="The seeds that were run.")
    seconds: float = Field(ge=0, description="Mean time of a run from start to end, in seconds.")
    machine: str = Field(description="Processor and cores.")
    date: str = Field(description="Day of the measurement, year-month-day.")
    version: str = Field(description="Version of imgclf.")
    digest: str = Field(description="Digest of the experiment that was measured; another one means a changed config.")


class Experiment(Settings):
    """One experiment file."""

    dataset: DatasetUnion = Field(description="Which images.")
    preprocessing: PreprocessingSettings = Field(
        PreprocessingSettings(), description="What is done to every image alike, in training and prediction."
    )
    augmentation: tuple[AugmentationUnion, ...] = Field(
        (), description="Random changes of the training images, in this order."
    )
    model: ModelUnion = Field(description="Which network.")
    training: TrainingSettings = Field(TrainingSettings(), description="How it is trained.")
    seed: int = Field(0, ge=0, lt=2**32, description="Start of every random number of the run.")
    runtime: RuntimeSettings = Field(RuntimeSettings(), description="The machine's part.")
    reference: Reference | None = Field(None, description="What this config was measured to reach.")

    @model_validator(mode="after")
    def _sections_agree(self) -> Experiment:
        problems = list(_monitor_problems(self))
        shape, targets = self.dataset.known_shape(), self.dataset.known_targets()
        problems += shape_problems(self, shape) if shape else []
        problems += class_problems(self, targets) if targets else []
        if problems:
            raise Misfits(problems)
        return self

    def digest(self) -> str:
        """Twelve hexadecimal digits of the SHA-256 over everything that changes a result, but the seed.

        Settings that have their default value are left out, so that a new setting changes no digest.
        """
        dump = self.model_dump(mode="json", exclude_defaults=True, exclude={"reference", "runtime", "seed"})
        for logging in ("tensorboard", "steps_per_call"):
            dump.get("training", {}).pop(logging, None)
        return hashlib.sha256(json.dumps(dump, sort_keys=True).encode()).hexdigest()[:12]

    def complete(self) -> dict[str, Any]:
        """Every key with its value, as plain data in the order of the schema."""
        dump: dict[str, Any] = _name_first(self.model_dump(mode="json"))
        if self.training.stages:
            # A stage's key that was left out is taken from `training`, not from the default: write what it became.
            stages = self.training.resolved_stages()
            dump["training"]["stages"] = [_name_first(stage.model_dump(mode="json")) for stage in stages]
        return dump if self.reference else {name: value for name, value in dump.items() if name != "reference"}


def shape_problems(experiment: Experiment, shape: ImageShape) -> list[Misfit]:
    """What does not fit between the images and the model; ``shape`` is that of the images before preprocessing."""
    height, width, _ = experiment.preprocessing.output_shape(shape)
    least_height, least_width = experiment.model.smallest_image()
    if height >= least_height and width >= least_width:
        return []
    found = f"images of {height}x{width} pixels after preprocessing are too small for this model"
    return [Misfit(("model",), f"{found}: it needs {least_height}x{least_width} or more; set preprocessing.size")]


def class_problems(experiment: Experiment, targets: tuple[Target, ...]) -> list[Misfit]:
    """What does not fit between the classes of the data and the settings of the stages."""
    problems = []
    for path, stage in _stages(experiment.training):
        for message in check_class_weight(stage.class_weight, targets[0].class_names):
            problems.append(Misfit((*path, "class_weight"), message))
    return problems


def _monitor_problems(experiment: Experiment) -> Iterator[Misfit]:
    """Monitors of validation figures where there is no validation split."""
    if experiment.dataset.validation_size:
        return
    message = "there is no validation split (dataset.validation_size: 0), so nothing can monitor"
    for path, stage in _stages(experiment.training):
        stopping, schedule = stage.early_stopping, stage.schedule
        if stopping and stopping.monitor.startswith("validation"):
            yield Misfit((*path, "early_stopping", "monitor"), f'{message} "{stopping.monitor}"')
        if isinstance(schedule, ReduceOnPlateau) and schedule.monitor.startswith("validation"):
            yield Misfit((*path, "schedule", "monitor"), f'{message} "{schedule.monitor}"')


def _stages(training: TrainingSettings) -> Iterator[tuple[tuple[str | int, ...], StageSettings]]:
    yield ("training",), training
    for number, stage in enumerate(training.stages):
        yield ("training", "stages", number), stage


def _name_first(value: Any) -> Any:
    """Nested mappings with their key ``name``, which says what the others mean, in front."""
    if isinstance(value, dict):
        ordered = sorted(value, key=lambda key: key != "name")
        return {key: _name_first(value[key]) for key in ordered}
    return [_name_first(entry) for entry in value] if isinstance(value, list) else value
