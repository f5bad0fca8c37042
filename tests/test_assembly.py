from __future__ import annotations

from pathlib import Path

import pytest

from imgclf.assembly import keeps_memory
from imgclf.experiment.load import load_experiment
from imgclf.models.heads import build_model


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
