"""How fast this machine trains: LeNet's compiled step on random images, as a run computes it."""

from __future__ import annotations

import numpy as np

from imgclf.models.heads import build_model
from imgclf.models.lenet import LeNet
from imgclf.preprocessing import Preprocessing, PreprocessingSettings
from imgclf.time_model import measure
from imgclf.training.devices import Devices
from imgclf.training.dropout import Seeds
from imgclf.training.feed import Chunk, Span
from imgclf.training.loss import Loss
from imgclf.training.precision import LossScale
from imgclf.training.settings import TrainingSettings
from imgclf.training.step import Step

SHAPE, CLASSES, BATCH = (28, 28, 1), 10, 128
STEPS = 8  # in a call; after its first


def step_seconds(devices: Devices) -> float:
    """The median time of one training step of LeNet (float32) on 128 images of 28x28, in seconds."""
    (stage,) = TrainingSettings(batch_size=BATCH).resolved_stages()
    with devices.strategy.scope():
        model = build_model(LeNet(name="lenet"), SHAPE, {"label": CLASSES})
        optimizer = stage.optimizer.build()
        optimizer.build(model.trainable_variables)
    step = Step(
        model=model,
        frozen=None,
        optimizer=optimizer,
        stage=stage,
        loss=Loss(stage.label_smoothing, (None,), stage.loss),
        preprocessing=Preprocessing(PreprocessingSettings()),
        augmentations=(),
        seeds=Seeds(model, 0),
        scale=LossScale("float32"),
        average=None,
        strategy=devices.strategy,
    )
    train, chunk, rates = step.compiled(), _noise(), np.zeros(STEPS, np.float32)
    return measure(lambda: train(chunk, rates)).seconds / STEPS


def _noise() -> Chunk:
    numbers = np.random.default_rng(0)
    images = numbers.integers(0, 256, (STEPS, BATCH, *SHAPE), np.uint8)
    labels = numbers.integers(0, CLASSES, (STEPS, BATCH, 1)).astype(np.int32)
    return Chunk(Span(0, 0, 0, STEPS), images, labels, np.zeros((STEPS, BATCH, 0), np.float32))
