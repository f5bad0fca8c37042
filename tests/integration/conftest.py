"""One small run, really trained, for all tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from imgclf.train import TrainingResult


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """LeNet after two epochs of scikit-learn's digits: over 90 % right, in a runs folder of its own.

    It is shared: a test that changes the run's folder works on a copy.
    """
    import imgclf

    settings = ["training.epochs=2", "training.tensorboard.scalars=false", "training.tensorboard.graph=false"]
    return imgclf.train("lenet_digits", overrides=settings, runs_dir=tmp_path_factory.mktemp("runs"))
