"""What a run is made of: the network, its stages, and the images or features that they see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from imgclf.augmentation import AugmentationUnion
from imgclf.inference import Takes
from imgclf.preprocessing import Preprocessing, PreprocessingSettings
from imgclf.training.settings import StageSettings, TrainingSettings

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

AS_STORED = Preprocessing(PreprocessingSettings(scaling="none"))  # features are taken as they are


@dataclass(frozen=True)
class Images:
    """What is trained or validated on: pixels that are taken by index, and labels int32 (images, targets)."""

    pixels: Takes
    labels: NDArray[np.int32]


@dataclass(frozen=True)
class Stored:
    """The features that a frozen body makes of the images, float32 (features,) each: what the head trains on."""

    train: Images
    validation: Images | None


@dataclass(frozen=True)
class Task:
    """Everything that a run is made of but the observer of it.

    ``body`` and ``head`` are the two parts of ``model``, with the same layers. ``stored`` holds features for
    stages that train the head alone, by number from 0.
    """

    model: keras.Model
    body: keras.Model
    head: keras.Model
    strategy: tf.distribute.Strategy
    settings: TrainingSettings
    stages: tuple[StageSettings, ...]
    preprocessing: Preprocessing
    augmentations: tuple[AugmentationUnion, ...]
    train: Images
    validation: Images | None
    class_weights: tuple[tuple[NDArray[np.float32] | None, ...], ...]  # by stage, by target
    seed: int
    stored: Mapping[int, Stored] = field(default_factory=dict)
    test_time_augmentation: Literal["flip"] | None = None  # in validation

    def steps(self, stage: StageSettings) -> int:
        """How many steps a stage lasts."""
        return stage_steps(stage, len(self.train.labels))

    def steps_per_epoch(self, stage: StageSettings) -> int:
        """Whole batches of a stage that the training images make."""
        return len(self.train.labels) // stage.batch_size

    def seen(self, number: int) -> Stored:
        """What stage ``number``, from 0, trains and validates on: stored features, or the images."""
        return self.stored.get(number) or Stored(self.train, self.validation)


def stage_steps(stage: StageSettings, images: int) -> int:
    """How many steps a stage lasts with so many training images."""
    return stage.steps or (stage.epochs or 0) * (images // stage.batch_size)
