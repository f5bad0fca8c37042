"""The section ``training``: stages, and what holds for the whole run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from imgclf.augmentation import AugmentationUnion
from imgclf.settings import Count, Fraction, Misfit, Positive, Settings, Text
from imgclf.training.average import WeightAverage
from imgclf.training.class_weights import ClassWeight
from imgclf.training.loss import CROSS_ENTROPY, LossUnion
from imgclf.training.optimizers import Adam, OptimizerUnion
from imgclf.training.schedules import Constant, ScheduleUnion
from imgclf.training.stopping import EarlyStoppingSettings

Precision = Literal["float32", "bfloat16", "float16"]


class CommonSettings(Settings):
    """One stage of a run: what is trained, by which optimizer, how long."""

    epochs: Count | None = Field(
        None,
        description="Passes over the training images, each without its last partial batch, whose images are others in "
        "every epoch. null: as `steps` says; where neither is given, 10.",
    )
    steps: Count | None = Field(None, description="Batches to train on, instead of `epochs`.")
    batch_size: Count = Field(
        128, description="Images a step, over all devices together; at most as many as the training split has."
    )
    optimizer: OptimizerUnion = Field(Adam(name="adam"), description="The optimizer, by its Keras name.")
    schedule: ScheduleUnion = Field(
        Constant(name="constant"), description="How the learning rate changes from the optimizer's `learning_rate` on."
    )
    early_stopping: EarlyStoppingSettings | None = Field(
        None, description="When to stop before the end, and whether to go back to the best weights. null: never."
    )
    loss: LossUnion = Field(
        CROSS_ENTROPY,
        description="What training makes small, and the training loss that is shown. The losses of validation and test "
        "are plain cross-entropy.",
    )
    label_smoothing: Fraction = Field(0.0, description="Share of each label that is spread evenly over all classes.")
    class_weight: ClassWeight = Field(
        None,
        description="Weight of each class in the loss: `balanced` (by how rare a class is), a list in the order of the "
        "classes, or a mapping from class name to weight (1 where left out). null: all alike. With several targets, "
        "`balanced` holds for each by itself, and lists and mappings are refused.",
    )
    clip_norm: Positive | None = Field(
        None, description="Gradients are scaled down to this norm, taken over all weights together. null: not."
    )
    clip_value: Positive | None = Field(
        None, description="Each gradient's value is cut at plus and minus this. null: not."
    )
    trainable: Text = Field(
        "all",
        description="Which layers train: `all`; `head`, with the body as it predicts (its dropout rests); or the "
        "beginning of layers' names (`block5`): the first such layer, and all after it.",
    )
    freeze_batch_normalization: bool | None = Field(
        None,
        description="Whether batch normalisation keeps its statistics, scale and offset. null: where the model starts "
        "from trained weights.",
    )
    weight_average: WeightAverage | None = Field(
        None,
        description="Exponential moving average of the weights: what is validated, saved and kept at the end. null: "
        "the weights themselves.",
    )

    @model_validator(mode="after")
    def _one_length(self) -> CommonSettings:
        if self.epochs is not None and self.steps is not None:
            raise Misfit(("steps",), "give epochs or steps, not both; null takes one away")
        return self

    @model_validator(mode="after")
    def _one_target_of_the_loss(self) -> CommonSettings:
        if self.label_smoothing and self.loss.name != "cross_entropy":
            raise Misfit(("label_smoothing",), f"goes with the loss cross_entropy only; the loss is {self.loss.name}")
        return self


class StageSettings(CommonSettings):
    """An entry of ``training.stages``."""

    augmentation: tuple[AugmentationUnion, ...] | None = Field(
        None, description="In place of the experiment's list. null: the experiment's list."
    )

    def augmentations(self, of_experiment: tuple[AugmentationUnion, ...]) -> tuple[AugmentationUnion, ...]:
        """The stage's own list, or the experiment's."""
        return of_experiment if self.augmentation is None else self.augmentation


class TensorboardSettings(Settings):
    """The part ``training.tensorboard``: what is written for TensorBoard."""

    scalars: bool = Field(True, description="Loss, accuracy and learning rate, in training and validation.")
    graph: bool = Field(True, description="The network as TensorBoard draws it.")
    summaries_every: Count | None = Field(
        None,
        description="Every so many steps: mean, standard deviation, minimum, maximum and histogram of every variable, "
        "of its gradient and of each layer's output. null: never.",
    )
    filters: bool = Field(False, description="The first convolution's filters as images, at every validation.")
    projector: bool = Field(False, description="The validation images' features at the end, for the projector.")


class TrainingSettings(CommonSettings):
    """The section ``training``: one stage written plainly, or several, and what holds for all of them."""

    stages: tuple[StageSettings, ...] = Field(
        (),
        description="Several stages, one after the other; a key that a stage leaves out is taken from `training`.",
    )
    precision: Precision = Field(
        "float32", description="Type of the computation; weights, the last layer and the loss are always float32."
    )
    validate_every: Literal["epoch"] | Count = Field(
        "epoch", description="When the validation images are looked at: after each epoch, or every so many steps."
    )
    steps_per_call: Count | None = Field(
        None, description="Steps that one compiled call does. null: chosen from the size of model and batch."
    )
    checkpoint_every_steps: Count | None = Field(
        None,
        description="A checkpoint, from which a run that was cut off goes on, is written after every so many steps of "
        "a stage, besides those at the ends of epochs (of very short epochs not each). null: only there.",
    )
    tensorboard: TensorboardSettings = Field(TensorboardSettings(), description="What is written for TensorBoard.")

    def resolved_stages(self) -> tuple[StageSettings, ...]:
        """The stages of the run, each complete."""
        plain = {name: getattr(self, name) for name in CommonSettings.model_fields}
        stages = self.stages or (StageSettings.model_construct(**plain),)
        return tuple(_completed(stage, plain) for stage in stages)


def _completed(stage: StageSettings, plain: dict[str, object]) -> StageSettings:
    own = {name: getattr(stage, name) for name in stage.model_fields_set}
    if "steps" in own or "epochs" in own:
        plain = {name: value for name, value in plain.items() if name not in ("steps", "epochs")}
    complete = {"epochs": None, "steps": None, **plain, **own}
    if complete["epochs"] is None and complete["steps"] is None:
        complete["epochs"] = 10
    return StageSettings.model_construct(**complete)  # every value was validated where it was written
