#!/usr/bin/env python3
"""How far a spatial transformer turns rotated digits back: what is left of the angles that they were turned by.

    scripts/measure_rotation.py RUN [--data-dir data] [--degrees 90] [--seed 1]

RUN is a run's folder, of the model `spatial_transformer` with `transform: rotation` on digits of MNIST. Its test digits
are turned anew, as scripts/make_rotated_mnist.py turns them, by angles of the seed. Prints for each digit the standard
deviation in degrees of the angles that were drawn, and that of what is left after the transformer; a network is free to
choose which way up a digit stands, so each digit's mean is taken out. The last row is over all digits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imgclf.cli.screen import Terminal
from imgclf.cli.tables import print_table
from imgclf.datasets.base import DataPlaces
from imgclf.datasets.mnist import Mnist
from imgclf.loading import loading_once
from imgclf.screen import Screen
from imgclf.trained import find_source, open_trained
from make_rotated_mnist import rotated

COLUMNS = ("images", "turned by", "left")


def main() -> None:
    """Turn the digits, let the transformer turn them back, print what is left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--degrees", type=float, default=90)
    parser.add_argument("--seed", type=int, default=1, help="not the seed of the run's data")
    arguments = parser.parse_args()
    test = Mnist(name="mnist", validation_size=0).load(DataPlaces(arguments.data_dir), seed=0).load_test()
    drawn = np.random.default_rng(arguments.seed).uniform(-arguments.degrees, arguments.degrees, len(test))
    with Terminal().working(False) as screen:
        left = drawn + turned_by(arguments.run, rotated(test, drawn), screen)  # both are counter-clockwise
    digits = test.labels[:, 0]
    rows = [[str(digit), *spread(drawn, left, [digits == digit])] for digit in range(10)]
    rows.append(["all", *spread(drawn, left, [digits == digit for digit in range(10)])])
    print_table(["digit", *COLUMNS], rows, right=COLUMNS)


def turned_by(run: str, images: NDArray[np.uint8], screen: Screen) -> NDArray[np.float64]:
    """The angles in degrees, counter-clockwise, by which a run's transformer turns images (images, height, width)."""
    source = find_source(run, None, None, Path("runs"))
    trained = open_trained(source, None, loading_once(source.experiment, None, screen), screen)

    import keras

    transformer = keras.Model(trained.model.inputs, trained.model.get_layer("transform").output)
    batches = np.array_split(images[..., None], max(1, len(images) // 256))
    found = [np.asarray(transformer(trained.preprocessing.apply(batch))) for batch in batches]
    return np.degrees(np.concatenate(found)[:, 0].astype(np.float64))


def spread(drawn: NDArray[np.float64], left: NDArray[np.float64], groups: list[NDArray[np.bool_]]) -> list[str]:
    """How many there are, and both standard deviations in degrees about the mean of each group."""
    centred = [np.concatenate([angles[one] - angles[one].mean() for one in groups]) for angles in (drawn, left)]
    return [f"{sum(map(np.count_nonzero, groups)):,}", *(f"{one.std():.1f}" for one in centred)]


if __name__ == "__main__":
    main()
