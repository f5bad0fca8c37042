#!/usr/bin/env python3
"""Time of a training step with a config's augmentations against the same step without, in alternation.

    scripts/bench_augmentation.py [CONFIG] [--rounds 5] [--steps 40] [--data-dir data]

The step is the program's own compiled one on the config's data, in one process; the first call, which compiles, is left
out. Prints every round, the medians, and their ratio. CONFIG is elu_cnn_cifar10 unless given.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from imgclf.augmentation.base import AugmentationSettings, Draws
from imgclf.datasets.base import Splits
from imgclf.datasets.pixels.shaped import shaped
from imgclf.experiment.load import load_experiment
from imgclf.experiment.schema import Experiment
from imgclf.loading import image_fit, load_splits
from imgclf.screen import Silent
from imgclf.startup import import_lean


def main() -> None:
    """Alternate the two steps and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", default="elu_cnn_cifar10")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40, help="steps that one measurement trains")
    parser.add_argument("--data-dir", default="data")
    arguments = parser.parse_args()
    import_lean()
    experiment = load_experiment(arguments.config).experiment
    splits = load_splits(experiment, arguments.data_dir, Silent())
    kinds = {"without": (), "with": experiment.augmentation}
    calls = {name: prepared(experiment, splits, kind, arguments.steps) for name, kind in kinds.items()}
    for call in calls.values():
        call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(arguments.rounds):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            taken[name].append((time.perf_counter() - started) * 1000 / arguments.steps)
        print(
            f"round {number + 1}: " + ", ".join(f"{name} {taken[name][-1]:.2f} ms a step" for name in calls), flush=True
        )
    medians = {name: statistics.median(times) for name, times in taken.items()}
    print(f"medians: without {medians['without']:.2f} ms, with {medians['with']:.2f} ms a step")
    print(f"a step with augmentations takes {medians['with'] / medians['without']:.3f} times the step without")


def prepared(
    experiment: Experiment, splits: Splits, augmentations: tuple[AugmentationSettings, ...], steps: int
) -> Callable[[], Any]:
    """A call that trains ``steps`` steps, on a network of its own."""
    import keras
    import numpy as np
    import tensorflow as tf

    from imgclf.models.heads import build_model
    from imgclf.preprocessing import Preprocessing
    from imgclf.training.feed import Feed, Span
    from imgclf.training.loop import prepare
    from imgclf.training.order import Order
    from imgclf.training.task import Images, Task

    keras.utils.set_random_seed(experiment.seed)
    shape = experiment.preprocessing.output_shape(splits.train.pixels.image_shape)
    images = Images(shaped(splits.train.pixels, image_fit(experiment.preprocessing)), splits.train.labels)
    strategy = tf.distribute.OneDeviceStrategy("/device:CPU:0")
    stage = experiment.training.resolved_stages()[0]
    with strategy.scope():
        model = build_model(experiment.model, shape, {one.name: len(one.class_names) for one in splits.targets})
    task = Task(
        model, strategy, experiment.training, (stage,), Preprocessing(experiment.preprocessing), augmentations, images,
        None, (tuple(None for _ in splits.targets),), experiment.seed,
    )  # fmt: skip
    train = prepare(task, 0, stage).compiled()
    order = Order(len(images.labels), stage.batch_size, experiment.seed)
    draws = Draws(augmentations, len(images.labels), experiment.seed)
    chunk = Feed(images.pixels, images.labels, order, draws, stage.batch_size).read(Span(0, 0, 0, steps))
    rates = np.full(steps, stage.optimizer.learning_rate, np.float32)
    return lambda: train(chunk, rates)


if __name__ == "__main__":
    main()
