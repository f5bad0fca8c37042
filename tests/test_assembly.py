from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from imgclf.assembly import batch_problems, check_network, keeps_memory
from imgclf.errors import ImgclfError
from imgclf.experiment.load import load_experiment
from imgclf.experiment.schema import Experiment
from imgclf.experiment.validate import validate
from imgclf.experiment.yaml_text import parse
from imgclf.models.heads import build_model
from imgclf.models.lenet import LeNet
from imgclf.models.transfer import Transfer


@pytest.mark.parametrize(("limit", "keeps"), [(378_000, True), (377_999, False)])
def test_freed_memory_is_kept_where_there_is_twice_what_training_may_take(
    limit: int, keeps: bool, tmp_path: Path
) -> None:
    path = tmp_path / "small.yaml"
    path.write_text("dataset: digits\nmodel: perceptron\ntraining: {epochs: 1, batch_size: 100}\n")
    experiment = load_experiment(str(path)).experiment
    model = build_model(experiment.model, (8, 8, 1), {"label": 10})
    # 9 times 650 weights, and for each image 3 times what is put out: 64 pixels, the same flat, 10 logits; of 4 bytes.
    assert 2 * 4 * (9 * 650 + 3 * 100 * (64 + 64 + 10)) == 378_000
    assert keeps_memory(experiment, model, limit) == keeps


@pytest.mark.parametrize("named", ["model: lenet\ntraining: {trainable: conv_2}", "model: {name: transfer, run: r}"])
def test_images_too_small_for_a_network_whose_layer_is_named_are_a_mistake_of_the_file(
    named: str, tmp_path: Path
) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(f"dataset: {{name: image_folder, path: photos}}\npreprocessing: {{size: 2}}\n{named}\n")
    loaded = load_experiment(str(path))
    if isinstance(loaded.experiment.model, Transfer):
        taken = loaded.experiment.model.model_copy(update={"body": LeNet(name="lenet"), "cut": "pool_2"})
        loaded = replace(loaded, experiment=loaded.experiment.model_copy(update={"model": taken}))
    with pytest.raises(ImgclfError, match=r"small.yaml:3: model: images of 2x2 pixels are too small .* needs 4x4"):
        check_network(loaded, tmp_path)


def test_a_batch_that_does_not_fit_is_a_mistake_at_the_key_that_it_comes_from() -> None:
    stages = "[{epochs: 1}, {epochs: 1, batch_size: 9}]"
    text = f"dataset: digits\nmodel: lenet\ntraining:\n  batch_size: 50\n  stages: {stages}\n"
    experiment = validate(parse(text, "mine.yaml"), Experiment)
    assert batch_problems(experiment, 100, 1) == []
    (large,) = batch_problems(experiment, 49, 1)
    assert (large.path, large.message.startswith("the training split has 49 images; a batch of 50")) == (
        ("training", "batch_size"), True
    )  # fmt: skip
    (odd,) = batch_problems(experiment, 100, 2)
    assert (odd.path, odd.message) == (
        ("training", "stages", 1, "batch_size"), "9 images can't be shared evenly by 2 devices"
    )  # fmt: skip
