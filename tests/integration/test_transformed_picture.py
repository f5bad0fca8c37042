"""The picture of what a model that transforms images makes of them, in a run that was really trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

import imgclf
from imgclf.evaluation_files import SAMPLE_SEED
from imgclf.experiment.load import load_experiment
from imgclf.loading import load_splits
from imgclf.reporting.grids import CELL, GAP
from imgclf.screen import Silent

if TYPE_CHECKING:
    from imgclf.train import TrainingResult

Imgclf = Callable[..., Any]

EXPERIMENT = """
dataset: digits
model:
  name: spatial_transformer
  localisation_filters: []
  localisation_dense_units: []
  blocks: [[4]]
  dense_units: []
training: {epochs: 1, batch_size: 64, optimizer: {name: sgd, learning_rate: 1e-30}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learns nothing: its transform is the identity."""
    folder = tmp_path_factory.mktemp("transformed")
    (folder / "identity.yaml").write_text(EXPERIMENT)
    result: TrainingResult = imgclf.train(folder / "identity.yaml", runs_dir=folder / "runs")
    return result.run.path


def columns(picture: Path) -> list[np.ndarray]:
    """The six columns of a grid, CELL pixels wide with GAP between."""
    pixels = np.asarray(Image.open(picture).convert("L"))
    return [pixels[:, GAP + column * (CELL + GAP) :][:, :CELL] for column in range(6)]


@pytest.mark.slow  # trains a run of its own
def test_the_identity_shows_each_image_twice(run: Path) -> None:
    experiment = load_experiment(str(run / "experiment.yaml")).experiment
    test = load_splits(experiment, None, Silent()).load_test().pixels
    shown = np.random.default_rng(SAMPLE_SEED).permutation(len(test))[:6]
    for image, column in zip(test.take(shown)[..., 0], columns(run / "plots" / "transformed.png"), strict=True):
        enlarged = image.repeat(CELL // 8, axis=0).repeat(CELL // 8, axis=1).astype(int)
        rows = range(len(column) - CELL)
        assert len([row for row in rows if np.abs(column[row : row + CELL] - enlarged).max() <= 2]) == 2


@pytest.mark.slow  # trains a run of its own, and evaluates it twice
def test_evaluate_draws_it_anew_for_the_split_that_it_evaluates(imgclf: Imgclf, run: Path) -> None:
    picture = run / "plots" / "transformed.png"
    before = picture.read_bytes()
    picture.unlink()
    assert imgclf("evaluate", run).status == 0
    assert picture.read_bytes() == before
    assert imgclf("evaluate", run, "--split", "validation").status == 0
    assert (run / "plots" / "transformed-validation.png").read_bytes() != before


@pytest.mark.slow  # trains two runs more
@pytest.mark.parametrize(("cut", "is_drawn"), [("conv_1_1", True), ("transform", False)])
def test_a_run_on_its_network_has_the_picture_where_it_is_cut_above_the_sampler(
    cut: str, is_drawn: bool, run: Path, tmp_path: Path
) -> None:
    config = tmp_path / "transfer.yaml"
    config.write_text(f"dataset: digits\nmodel: {{name: transfer, run: {run}, cut: {cut}}}\ntraining: {{epochs: 1}}\n")
    result = imgclf.train(config, runs_dir=tmp_path / "runs")
    assert (result.run.plots / "transformed.png").exists() == is_drawn


def test_a_model_without_an_image_layer_has_no_such_picture(trained_run: TrainingResult) -> None:
    assert not list(trained_run.run.plots.glob("transformed*"))
