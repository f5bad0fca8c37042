#!/usr/bin/env python3
"""Images per second and peak memory of `imgclf train` against a plain Keras script, in alternation.

    scripts/bench_training.py [--rounds 5] [--epochs 3] [--data-dir data] [--bfloat16]

LeNet on all 60,000 training images of MNIST, batch 128, no validation, first epoch (with its compilation) included.
The plain script is what a textbook does: `model.fit` on float32 arrays and one-hot labels. Each measurement is a
process of its own; the memory is its greatest resident set when training ends. Prints every round, the medians, and
their ratios.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

IMAGES, BATCH = 60_000, 128


def main() -> None:
    """Alternate the contenders and print what each needed."""
    arguments = parse_arguments()
    if arguments.child:
        print(json.dumps(CHILDREN[arguments.child](arguments)))
        return
    contenders = ["keras", "float32"] + (["bfloat16"] if arguments.bfloat16 else [])
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    for number in range(arguments.rounds):
        for name in contenders:
            results[name].append(measure(name, arguments))
            print(f"round {number + 1} {name}: {results[name][-1]}", flush=True)
    print_summary(results)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--bfloat16", action="store_true", help="also measure bfloat16 (worth it with AVX512-BF16)")
    parser.add_argument("--child", choices=sorted(CHILDREN), help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """One process of one contender."""
    command = [sys.executable, __file__, "--child", name, "--epochs", str(arguments.epochs)]
    command += ["--data-dir", str(arguments.data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def run_imgclf(arguments: argparse.Namespace, precision: str) -> dict[str, Any]:
    """The program's own `train`, as its user starts it; its run folder says how long it trained and what it took."""
    command = [sys.executable, "-m", "imgclf", "train", "lenet_mnist", "--data-dir", str(arguments.data_dir)]
    for override in (
        f"training.epochs={arguments.epochs}",
        "dataset.validation_size=0",
        f"training.precision={precision}",
    ):
        command += ["--set", override]
    with tempfile.TemporaryDirectory() as runs:
        subprocess.run([*command, "--runs-dir", runs], check=True, stdout=subprocess.DEVNULL)
        record = json.loads(next(Path(runs).glob("*/run.json")).read_text())
    images = arguments.epochs * (IMAGES // BATCH) * BATCH  # the last partial batch of an epoch is left out
    return result(images / record["training_seconds"], record["peak_memory_bytes"], record["accuracy"])


def run_keras(arguments: argparse.Namespace) -> dict[str, Any]:
    """The plain script."""
    import keras
    import numpy as np
    from keras import layers

    from imgclf.datasets.published.idx import read_images, read_labels

    def load(split: str) -> tuple[Any, Any]:
        images = read_images(next(arguments.data_dir.glob(f"mnist/{split}-images*")))
        labels = read_labels(next(arguments.data_dir.glob(f"mnist/{split}-labels*")), 10)
        return images[..., None].astype(np.float32) / 255, keras.utils.to_categorical(labels, 10)

    images, labels = load("train")
    keras.utils.set_random_seed(0)
    body = [layers.Conv2D(20, 5, padding="same", activation="relu"), layers.MaxPooling2D()]
    body += [layers.Conv2D(50, 5, padding="same", activation="relu"), layers.MaxPooling2D()]
    body += [layers.Flatten(), layers.Dense(500, activation="relu"), layers.Dense(10, activation="softmax")]
    model = keras.Sequential([layers.Input((28, 28, 1)), *body])
    model.compile(keras.optimizers.SGD(0.01), "categorical_crossentropy", metrics=["accuracy"])
    start = time.perf_counter()
    model.fit(images, labels, batch_size=BATCH, epochs=arguments.epochs, verbose=0)
    seconds, memory = time.perf_counter() - start, peak_memory()
    return result(arguments.epochs * IMAGES / seconds, memory, model.evaluate(*load("t10k"), verbose=0)[1])


CHILDREN = {
    "keras": run_keras,
    "float32": lambda arguments: run_imgclf(arguments, "float32"),
    "bfloat16": lambda arguments: run_imgclf(arguments, "bfloat16"),
}


def result(images_per_second: float, memory: int, accuracy: float) -> dict[str, Any]:
    """What a child prints."""
    return {
        "images_per_second": round(images_per_second, 1),
        "peak_megabytes": round(memory / 2**20, 1),
        "accuracy": round(accuracy, 4),
    }


def peak_memory() -> int:
    """Greatest resident set of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


def print_summary(results: dict[str, list[dict[str, Any]]]) -> None:
    """Medians, and each contender's ratio to the plain script."""
    medians = {
        name: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        for name, rounds in results.items()
    }
    for name, median in medians.items():
        speed = median["images_per_second"] / medians["keras"]["images_per_second"]
        memory = median["peak_megabytes"] / medians["keras"]["peak_megabytes"]
        print(f"{name}: {median}; speed {speed:.2f} times, memory {memory:.2f} times the plain script's")


if __name__ == "__main__":
    main()
