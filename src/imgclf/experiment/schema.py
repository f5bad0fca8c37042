"""The experiment: the settings classes of every room joined into one schema, and what two sections must agree on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from imgclf.augmentation import AugmentationUnion
from imgclf.datasets import DatasetUnion
from imgclf.evaluation.settings import EvaluationSettings
from imgclf.experiment.agreement import section_problems
from imgclf.models import ModelUnion
from imgclf.models.classical_heads import ClassicalHead
from imgclf.models.transfer import Transfer
from imgclf.preprocessing import PreprocessingSettings
from imgclf.settings import Count, ImageShape, Misfits, Settings
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
    evaluation: EvaluationSettings = Field(
        EvaluationSettings(), description="How the trained network answers, and how answers of two classes are judged."
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Start of every random number of the run.")
    runtime: RuntimeSettings = Field(RuntimeSettings(), description="The machine's part.")
    reference: Reference | None = Field(None, description="What this config was measured to reach.")

    @model_validator(mode="after")
    def _sections_agree(self) -> Experiment:
        if problems := section_problems(self):
            raise Misfits(problems)
        return self

    def shape_without_data(self) -> ImageShape | None:
        """The images' shape as the network sees it, as far as is known before any is read: 3 channels are assumed."""
        known = self.dataset.known_shape() or ((1, 1, 3) if self.preprocessing.size else None)
        return self.preprocessing.output_shape(known) if known else None

    def stages(self) -> tuple[StageSettings, ...]:
        """The stages of the run, each complete, also with what the model decides."""
        stages = self.training.resolved_stages()
        if isinstance(self.model.head, ClassicalHead):
            stages = tuple(stage.model_copy(update={"trainable": "head"}) for stage in stages)
        freeze = self.model.starts_trained()
        return tuple(
            stage.model_copy(update={"freeze_batch_normalization": freeze})
            if stage.freeze_batch_normalization is None
            else stage
            for stage in stages
        )

    def named_layers(self) -> list[tuple[int, str]]:
        """The stages, by number from 0, that train from a named layer on, and its name."""
        stages = [(number, stage.trainable) for number, stage in enumerate(self.stages())]
        return [(number, trainable) for number, trainable in stages if trainable not in ("all", "head")]

    def names_layers(self) -> bool:
        """Whether a layer is named anywhere, which only the network itself can tell to be there."""
        return bool(self.named_layers() or self.model.cut_layer())

    def digest(self) -> str:
        """Twelve hexadecimal digits of the SHA-256 over everything that changes a result, but the seed.

        Settings that have their default value are left out, so that a new setting changes no digest.
        """
        dump = self.model_dump(mode="json", exclude_defaults=True, exclude={"reference", "runtime", "seed"})
        dump["model"].get("head", {}).pop("support_vectors", None)  # known when the head is fitted
        if isinstance(self.model, Transfer):
            # The same run, wherever the runs lie; its section `model` is only its copy.
            dump["model"] = {**dump["model"], "run": Path(self.model.run).name}
            dump["model"].pop("body", None)
        training = dump.setdefault("training", {})
        for logging in ("tensorboard", "steps_per_call", "checkpoint_every_steps"):
            training.pop(logging, None)
        # Stages as they are run: the same ones give the same digest, wherever their keys were written.
        stages = [stage.model_dump(mode="json", exclude_defaults=True) for stage in self.training.resolved_stages()]
        if self.training.stages:
            dump["training"] = {key: value for key, value in training.items() if key not in StageSettings.model_fields}
            dump["training"]["stages"] = stages
        else:
            training.update(stages[0])
        return hashlib.sha256(json.dumps(dump, sort_keys=True).encode()).hexdigest()[:12]

    def complete(self) -> dict[str, Any]:
        """Every key with its value, as plain data in the order of the schema; loading it gives the same digest."""
        dump: dict[str, Any] = _name_first(self.model_dump(mode="json"))
        # What a stage leaves out is taken from `training`, and the length's default depends: write what it became.
        stages = [_name_first(stage.model_dump(mode="json")) for stage in self.training.resolved_stages()]
        if self.training.stages:
            dump["training"]["stages"] = stages
        elif not isinstance(self.model.head, ClassicalHead):
            dump["training"].update({key: value for key, value in stages[0].items() if key in dump["training"]})
        return dump if self.reference else {name: value for name, value in dump.items() if name != "reference"}


def _name_first(value: Any) -> Any:
    """Nested mappings with their key ``name``, which says what the others mean, in front."""
    if isinstance(value, dict):
        ordered = sorted(value, key=lambda key: key != "name")
        return {key: _name_first(value[key]) for key in ordered}
    return [_name_first(entry) for entry in value] if isinstance(value, list) else value
