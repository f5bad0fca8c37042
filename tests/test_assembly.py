from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from imgclf.assembly import check_network, keeps_memory
from imgclf.errors import ImgclfError
from imgclf.experiment.load import load_experiment
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
