"""What a model takes over from an earlier run: its network's settings, and its weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from imgclf.errors import ImgclfError
from imgclf.experiment.load import LoadedExperiment
from imgclf.models.heads import build_model, is_of_head
from imgclf.models.transfer import Transfer
from imgclf.pretrained import Pretrained
from imgclf.runs.find import find_run
from imgclf.runs.weights import load_weights
from imgclf.trained import Source, find_source, recorded_targets

if TYPE_CHECKING:
    import keras

SEEN_ALIKE = ("channels", "scaling", "normalization", "whitening")  # what the earlier weights depend on


def with_earlier_network(loaded: LoadedExperiment, runs_dir: Path) -> tuple[LoadedExperiment, Source | None]:
    """The experiment with the network of the earlier run that its model names, and that run; else as it is and None.

    Raises ImgclfError where there is no such run, or where it saw images otherwise than this experiment shows them.
    """
    model = loaded.experiment.model
    if not isinstance(model, Transfer):
        return loaded, None
    source = find_source(str(find_run(model.run, runs_dir).path), None, None, runs_dir)
    _check_preprocessing(loaded, source)
    earlier = source.experiment.model
    body, cut = (earlier.body, model.cut or earlier.cut) if isinstance(earlier, Transfer) else (earlier, model.cut)
    changed = model.model_copy(
        update={"body": body, "cut": cut, "run": str(source.run.path) if source.run else model.run}
    )
    experiment = loaded.experiment.model_copy(update={"model": changed})
    return LoadedExperiment(experiment, loaded.path, loaded.name), source


def load_earlier_weights(model: keras.Model, source: Source) -> Pretrained:
    """Fill the body of ``model`` with the weights of the same layers of the earlier run.

    Raises ImgclfError where a layer's weights don't fit, as those of dense layers on images of another size.
    """
    record = source.record
    height, width, channels = record["data"]["image_shape"]
    classes = {target.name: len(target.class_names) for target in recorded_targets(record)}
    shape = source.experiment.preprocessing.output_shape((height, width, channels))
    earlier = build_model(source.experiment.model, shape, classes)
    load_weights(earlier, source.weights)
    arrays, known = 0, {layer.name for layer in earlier.layers}
    for layer in (one for one in model.layers if one.weights and not is_of_head(one)):
        if layer.name not in known:
            raise ImgclfError(f"{source.weights}: holds no layer {layer.name}: that run had cut its network before it")
        weights = earlier.get_layer(layer.name).get_weights()
        found, wanted = [one.shape for one in weights], [tuple(one.shape) for one in layer.weights]
        if found != wanted:
            raise ImgclfError(
                f"{source.weights}: layer {layer.name} must have weights of the shapes {wanted}; found {found}",
                hint="cut the network before that layer (model.cut), or set preprocessing.size to the earlier run's",
            )
        layer.set_weights(weights)
        arrays += len(weights)
    sha256 = hashlib.sha256(source.weights.read_bytes()).hexdigest()
    return Pretrained(str(source.experiment.model.name), source.weights, sha256, arrays)


def _check_preprocessing(loaded: LoadedExperiment, source: Source) -> None:
    own, earlier = loaded.experiment.preprocessing, source.experiment.preprocessing
    differing = [key for key in SEEN_ALIKE if getattr(own, key) != getattr(earlier, key)]
    if differing:
        wanted = earlier.model_dump(mode="json", include=set(differing))
        raise ImgclfError(
            f"{loaded.path}: preprocessing: must show images to the network as the run {source.weights.parent.parent} "
            f"saw them; {', '.join(differing)} differ{'s' if len(differing) == 1 else ''}",
            hint=f"set {', '.join(f'preprocessing.{key}: {json.dumps(value)}' for key, value in wanted.items())}",
        )
