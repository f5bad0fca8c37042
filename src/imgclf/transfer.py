"""What a model takes over from an earlier run: its network's settings, and its weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgclf.errors import ImgclfError
from imgclf.experiment.load import LoadedExperiment, load_experiment
from imgclf.models.heads import build_model, is_of_head
from imgclf.models.initializers import zeros_for_random
from imgclf.models.transfer import Transfer
from imgclf.preprocessing import Preprocessing, PreprocessingSettings
from imgclf.pretrained import Pretrained
from imgclf.runs.arrays import load_arrays
from imgclf.runs.files import sha256_of
from imgclf.runs.find import find_run
from imgclf.runs.folder import RunFolder
from imgclf.runs.hdf5 import settle_normalization
from imgclf.runs.weights import load_weights
from imgclf.settings import ImageShape, Misfit
from imgclf.texts import shape_text
from imgclf.trained import Source, find_source, recorded_targets

if TYPE_CHECKING:
    import keras

SEEN_ALIKE = ("scaling", "normalization", "whitening")  # what the earlier weights depend on


def with_earlier_network(loaded: LoadedExperiment, runs_dir: Path) -> tuple[LoadedExperiment, Source | None]:
    """The experiment with the network of the earlier run that its model names, and that run; else as it is and None.

    Raises ImgclfError where there is no such run, or where its preprocessing scales or normalises otherwise.
    """
    model = loaded.experiment.model
    if not isinstance(model, Transfer):
        return loaded, None
    source = find_source(str(_earlier_run(loaded, model, runs_dir).path), None, None, runs_dir)
    _check_preprocessing(loaded, source)
    earlier = source.experiment.model
    of_earlier: dict[str, Any] = {"body": earlier}
    if isinstance(earlier, Transfer):
        of_earlier = {"body": earlier.body}
        of_earlier |= {} if model.cut else {"cut": earlier.cut, "pooling": earlier.pooling}
    assert source.run is not None
    taken = model.model_copy(update={**of_earlier, "run": str(source.run.path)})
    experiment = loaded.experiment.model_copy(update={"model": taken})
    return replace(loaded, experiment=experiment), source


def load_earlier_weights(model: keras.Model, source: Source) -> Pretrained:
    """Fill the body of ``model`` with the weights of the same layers of the earlier run.

    Raises ImgclfError where that run saw grey images and these are coloured, or the reverse, where its whitening is
    that of another size, and where a layer's weights don't fit, as those of dense layers on images of another size.
    """
    record = source.record
    height, width, channels = record["data"]["image_shape"]
    classes = {target.name: len(target.class_names) for target in recorded_targets(record)}
    shape = source.experiment.preprocessing.output_shape((height, width, channels))
    if model.input_shape[-1] != shape[-1]:
        kinds = {1: "grey", 3: "coloured"}
        raise ImgclfError(
            f"{source.weights}: that run saw {kinds[shape[-1]]} images; these are {kinds[model.input_shape[-1]]}",
            hint=f"set preprocessing.channels: {shape[-1]}",
        )
    own, fitted = tuple(model.input_shape[1:]), source.experiment.preprocessing
    if fitted.arrays(own) != fitted.arrays(shape):
        raise ImgclfError(
            f"{source.weights}: that run's whitening was fitted on images of {shape_text(shape)}; these are "
            f"{shape_text(own)}",
            hint=f"set preprocessing.size: {list(shape[:2])}",
        )
    with zeros_for_random():
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
    settle_normalization(model)
    return Pretrained(str(source.experiment.model.name), source.weights, sha256_of(source.weights), arrays)


def preprocessing_of(run: RunFolder, settings: PreprocessingSettings, shape: ImageShape) -> Preprocessing | None:
    """The preprocessing as a run fitted it, since its weights know no other; None where nothing is fitted.

    Raises ImgclfError where it was fitted on images of another shape.
    """
    arrays = settings.arrays(shape)
    if not arrays:
        return None
    recorded = run.record().get("preprocessing") or {}
    return Preprocessing(settings, load_arrays(run.preprocessing, arrays, recorded.get("sha256")))


def as_before(asked: Transfer, before: Transfer) -> Transfer:
    """A transfer that is asked for again, with what was read from the earlier run when the run began."""
    if asked.body is not None or Path(asked.run).name not in ("latest", Path(before.run).name):
        return asked
    read = {"body": before.body, "run": before.run}
    return asked.model_copy(update=read if asked.cut else {**read, "cut": before.cut, "pooling": before.pooling})


def settled_run(config: str, overrides: Sequence[str], runs_dir: Path) -> list[str]:
    """The override that names a transfer's earlier run by its path, for runs that are made in another folder."""
    loaded = load_experiment(config, overrides)
    model = loaded.experiment.model
    if not isinstance(model, Transfer):
        return []
    return [f"model.run={json.dumps(str(_earlier_run(loaded, model, runs_dir).path.resolve()))}"]


def _earlier_run(loaded: LoadedExperiment, model: Transfer, runs_dir: Path) -> RunFolder:
    """The run that the model names; one that is not there is a mistake at the place of its key."""
    try:
        return find_run(model.run, runs_dir)
    except ImgclfError as error:
        message = f"{error}; {error.hint}" if error.hint else str(error)
        raise loaded.error([Misfit(("model", "run"), message)]) from error


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
