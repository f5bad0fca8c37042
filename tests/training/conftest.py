"""A task that trains in a moment: images of 8x8 pixels whose bright row tells their class."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from imgclf.augmentation.base import AugmentationSettings
from imgclf.datasets.base import ArrayPixels
from imgclf.models.base import ModelSettings
from imgclf.models.mlp import Mlp
from imgclf.preprocessing import Preprocessing, PreprocessingSettings
from imgclf.training.class_weights import class_weights
from imgclf.training.settings import TrainingSettings
from imgclf.training.task import Images, Task

SHAPE, CLASSES = (8, 8, 1), ("a", "b", "c")


@dataclass
class Watcher:
    """The observer of a run: keeps what it is told, and the weights in memory."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    progress: list[tuple[int, int]] = field(default_factory=list)
    best: list[np.ndarray] = field(default_factory=list)
    best_step: int = 0
    last: list[np.ndarray] = field(default_factory=list)
    summarised: list[int] = field(default_factory=list)
    restored: bool = False
    may_overflow: bool = False

    def progressed(self, step: int, total: int, loss: float) -> None:
        assert np.isfinite(loss) or self.may_overflow
        self.progress.append((step, total))

    def measured(self, row: dict[str, Any], model: Any) -> None:
        del model
        self.rows.append(row)

    def save_last(self, model: Any) -> None:
        self.last = model.get_weights()

    def save_best(self, model: Any) -> None:
        self.best, self.best_step = model.get_weights(), self.progress[-1][0]

    def load_best(self, model: Any) -> None:
        model.set_weights(self.best)
        self.restored = True

    def summarise(self, step: Any, chunk: Any) -> None:
        del step
        self.summarised.append(chunk.span.first)

    def interrupted(self) -> bool:
        return False

    def checkpoint(self, step: int, saved: Any, needed: bool) -> None:
        """Nothing is kept."""


def make_images(count: int, seed: int) -> Images:
    numbers = np.random.default_rng(seed)
    labels = numbers.integers(0, len(CLASSES), (count, 1)).astype(np.int32)
    pixels = numbers.integers(0, 60, (count, *SHAPE), np.uint8)
    pixels[np.arange(count), 2 * labels[:, 0] + 1] += 90
    return Images(ArrayPixels(pixels), labels)


@pytest.fixture(scope="session")
def make_task() -> Callable[..., Task]:
    def make(
        model: ModelSettings | None = None,
        *,
        seed: int = 0,
        images: int = 70,
        validation: int = 20,
        augmentations: tuple[AugmentationSettings, ...] = (),
        **training: Any,
    ) -> Task:
        import keras
        import tensorflow as tf

        from imgclf.models.heads import build_model, cut
        from imgclf.training.precision import computing_in

        settings = TrainingSettings(
            **{"batch_size": 16, "epochs": 2, "steps_per_call": 3, "optimizer": {"name": "sgd"}, **training}
        )
        train = make_images(images, seed=1)
        keras.utils.set_random_seed(seed)
        strategy = tf.distribute.OneDeviceStrategy("/device:CPU:0")
        with strategy.scope(), computing_in(settings.precision):
            network = build_model(model or Mlp(name="mlp", dense_units=(8,)), SHAPE, {"class": len(CLASSES)})
        stages = settings.resolved_stages()
        body, head = cut(network)
        return Task(
            model=network,
            body=body,
            head=head,
            strategy=strategy,
            settings=settings,
            stages=stages,
            preprocessing=Preprocessing(PreprocessingSettings()),
            augmentations=augmentations,
            train=train,
            validation=make_images(validation, seed=2) if validation else None,
            class_weights=tuple((class_weights(one.class_weight, train.labels[:, 0], CLASSES),) for one in stages),
            seed=seed,
        )

    return make


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture(scope="session")
def sha256() -> Callable[[Any], str]:
    def digest(model: Any) -> str:
        return hashlib.sha256(b"".join(array.tobytes() for array in model.get_weights())).hexdigest()

    return digest
