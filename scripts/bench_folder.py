#!/usr/bin/env python3
"""Images per second of the first pass over a folder, and from the cache, against Keras, in alternation.

    scripts/bench_folder.py [--rounds 5] [--size 150] [--photos data/cats_vs_dogs/train]

The folder holds photographs under flat names (cat.0.jpg). `first` is what the program does before the first training
on them: list, decode, check, digest and write the cache, then take every image once in shuffled batches of 32; `cached`
is the same with the cache made by it. `keras` is `image_dataset_from_directory` (shuffled batches of 32, its defaults
else), iterated once; it needs a folder a class, made of links. Each measurement is a process of its own; imports are
not counted; one round before the first warms the system's cache of the files. Prints every round, the medians, and
their ratios; and the processor's time an image, which other programs on the machine change less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

BATCH, SEED = 32, 0
CONTENDERS = ("keras", "first", "cached")


class Pass(NamedTuple):
    """Images per second by the clock, and the processor's milliseconds an image, of all its cores together."""

    rate: float
    processor_ms: float


def main() -> None:
    """Alternate the contenders and print what each reached."""
    arguments = parse_arguments()
    if arguments.child:
        print(json.dumps(CHILDREN[arguments.child](arguments)))
        return
    results: dict[str, list[Pass]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory(prefix="bench_folder-", dir=arguments.scratch) as scratch:
        links = link_class_folders(arguments.photos, Path(scratch))
        for number in range(arguments.rounds + 1):
            cache = Path(scratch) / f"cache-{number}"
            for name in CONTENDERS:
                one = measure(name, arguments, links if name == "keras" else arguments.photos, cache)
                if number:
                    results[name].append(one)
                    print(f"round {number} {name}: {one.rate:,.0f} images/s, {one.processor_ms:.3f} ms", flush=True)
    print_summary(results)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--photos", type=Path, default=Path("data/cats_vs_dogs/train"))
    parser.add_argument("--scratch", type=Path, help="where links and caches are made (default: the system's)")
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child", choices=CONTENDERS, help=argparse.SUPPRESS)
    return parser.parse_args()


def link_class_folders(photos: Path, scratch: Path) -> Path:
    """A folder a class with links to the photographs."""
    for path in sorted(photos.resolve().iterdir()):
        link = scratch / "links" / path.name.split(".")[0] / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    return scratch / "links"


def measure(name: str, arguments: argparse.Namespace, photos: Path, cache: Path) -> Pass:
    """One pass in a process of one contender."""
    command = [sys.executable, __file__, "--child", name, "--size", str(arguments.size)]
    command += ["--photos", str(photos), "--cache", str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr}")
    return Pass(*json.loads(done.stdout.splitlines()[-1]))


def run_keras(arguments: argparse.Namespace) -> Pass:
    """One pass by Keras."""
    import keras
    import tensorflow as tf

    tf.zeros(1)  # the start of TensorFlow's runtime is no part of it
    began = time.perf_counter(), time.process_time()
    size = (arguments.size, arguments.size)
    dataset = keras.utils.image_dataset_from_directory(
        arguments.photos, image_size=size, batch_size=BATCH, seed=SEED, verbose=False
    )
    images = sum(len(batch) for batch, _ in dataset)
    return finished(began, images)


def run_imgclf(arguments: argparse.Namespace) -> Pass:
    """The folder loaded, and every image taken once."""
    import cv2  # noqa: F401 (imports are not counted)
    import numpy as np
    import PIL.Image
    import sklearn  # noqa: F401

    import imgclf.datasets.folders.loading  # noqa: F401
    from imgclf.datasets.base import DataPlaces
    from imgclf.datasets.image_folder import ImageFolder
    from imgclf.images.fit import ImageFit

    PIL.Image.init()
    began = time.perf_counter(), time.process_time()
    settings = ImageFolder(name="image_folder", path=str(arguments.photos.resolve()), validation_size=0)
    places = DataPlaces(Path("data"), fit=ImageFit((arguments.size, arguments.size)), cache_dir=arguments.cache)
    splits = settings.load(places, SEED)
    images = 0
    for part in (splits.train, splits.load_test()):
        order = np.random.default_rng(SEED).permutation(len(part))
        images += sum(len(part.pixels.take(order[start : start + BATCH])) for start in range(0, len(order), BATCH))
    return finished(began, images)


def finished(began: tuple[float, float], images: int) -> Pass:
    """What a pass that began at these times of the clock and the processor took."""
    seconds, processor_seconds = time.perf_counter() - began[0], time.process_time() - began[1]
    return Pass(images / seconds, 1e3 * processor_seconds / images)


def print_summary(results: dict[str, list[Pass]]) -> None:
    """The medians, and how many times as fast as Keras."""
    print(f"\n{platform.platform()}, {os.cpu_count()} cores; medians of {len(results['keras'])}")
    keras = statistics.median(one.rate for one in results["keras"])
    for name, passes in results.items():
        rate = statistics.median(one.rate for one in passes)
        processor_ms = statistics.median(one.processor_ms for one in passes)
        print(f"{name:8} {rate:8,.0f} images/s, {rate / keras:.2f} times Keras; {processor_ms:.3f} ms an image")


CHILDREN: dict[str, Callable[[argparse.Namespace], Pass]] = {
    "keras": run_keras,
    "first": run_imgclf,
    "cached": run_imgclf,
}


if __name__ == "__main__":
    main()
