"""One model to be looked at: by its own name with an image shape and classes, or as a config has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from imgclf.errors import ImgclfError, printable
from imgclf.experiment.agreement import head_problems, too_small
from imgclf.experiment.document import Document
from imgclf.experiment.load import load_experiment
from imgclf.experiment.overrides import Overrides
from imgclf.experiment.problems import PlainData, nearest_several
from imgclf.experiment.schema_words import Node, describe, members, names, resolve
from imgclf.experiment.shipped import find_config, shipped_configs
from imgclf.experiment.validate import validate
from imgclf.models import MODELS, ModelUnion, model_name
from imgclf.models.base import ModelSettings
from imgclf.models.networks import network_named
from imgclf.models.transfer import Transfer
from imgclf.settings import ImageShape, Settings

USUAL_SHAPE, USUAL_CLASSES = (28, 28, 1), 10  # MNIST's


@dataclass(frozen=True)
class SingleModel:
    """A model's settings, the shape of its images, the classes of each target, and what is assumed of any of them."""

    settings: ModelSettings
    image_shape: ImageShape
    classes: dict[str, int]
    assumed: str | None = None

    @property
    def rests_on_a_run(self) -> bool:
        """Whether the layers can't be known before an earlier run is read."""
        return isinstance(self.settings, Transfer) and self.settings.body is None

    @property
    def remarks(self) -> list[str]:
        """What the numbers rest on that only a run knows."""
        return [remark for remark in (self.assumed, self.settings.head.size_note()) if remark]


@dataclass(frozen=True)
class Setting:
    """A key of a model: dotted, what it takes in words, and plain values."""

    key: str
    kind: str
    default: PlainData
    value: PlainData
    meaning: str


class _OnlyModel(Settings):
    """An experiment file of which only the model counts."""

    model: ModelUnion = Field(description="Which network.")


def find_model(
    wanted: str, overrides: Sequence[str] = (), shape: ImageShape | None = None, classes: int | None = None
) -> SingleModel:
    """The model that ``wanted`` names: a model, a shipped config or a config's path, after the overrides.

    ``shape`` and ``classes`` stand before what the config's data set says of itself; without a config they are MNIST's.
    Raises ImgclfError where there is no such model, or where images or classes don't fit it.
    """
    if wanted in map(model_name, MODELS):
        found = _by_name(wanted, overrides, shape, classes)
    else:
        found = _of_config(_config(wanted), overrides, shape, classes)
    if message := too_small(found.settings, found.image_shape):
        hint = "choose another shape with --shape HEIGHTxWIDTHxCHANNELS"
        raise ImgclfError(f"{printable(wanted)}: {message}", hint=hint)
    for message in head_problems(found.settings, found.classes):
        hint = "choose another head, or another number with --classes N"
        raise ImgclfError(f"{printable(wanted)}: model.head: {message}", hint=hint)
    return found


def setting_list(settings: ModelSettings) -> list[Setting]:
    """Every setting of a model but its name; a part that is chosen by name, then its own settings with dotted keys."""
    schema = type(settings).model_json_schema()
    return list(_settings(schema, schema, "", settings.model_dump(mode="json"), None))


def _settings(schema: Node, node: Node, prefix: str, values: PlainData, defaults: PlainData) -> Iterator[Setting]:
    for name, raw in node["properties"].items():
        inner = resolve(schema, raw)
        if name == "name":
            continue
        default = defaults.get(name) if isinstance(defaults, dict) else inner.get("default")
        part = _part(schema, inner, values[name])
        if part is not None:
            if names(inner):
                meaning = " ".join(str(inner.get("description", "")).split())
                chosen = default["name"] if isinstance(default, dict) else default
                yield Setting(prefix + name, describe(inner, schema), chosen, values[name]["name"], meaning)
            yield from _settings(schema, part, f"{prefix}{name}.", values[name], default)
        else:
            meaning = " ".join(str(inner.get("description", "")).split())
            yield Setting(prefix + name, describe(inner, schema), _short(default), _short(values[name]), meaning)


def _part(schema: Node, node: Node, value: PlainData) -> Node | None:
    """What describes the settings that stand below a key, where there are more of them than a name."""
    if chosen := names(node):
        is_more = isinstance(value, dict) and value.keys() != {"name"}
        return resolve(schema, {"$ref": chosen[value["name"]]}) if is_more and isinstance(value, dict) else None
    return next((one for one in members(schema, node) if "properties" in one), None)


def _short(value: PlainData) -> PlainData:
    """The name alone where a mapping holds nothing else."""
    return value["name"] if isinstance(value, dict) and value.keys() == {"name"} else value


def _by_name(wanted: str, overrides: Sequence[str], shape: ImageShape | None, classes: int | None) -> SingleModel:
    # Of a transfer all but the layers can be shown without a run.
    data: dict[str, Any] = {"model": {"name": wanted, **({"run": "latest"} if wanted == "transfer" else {})}}
    chosen = validate(Document(data, wanted, {}), _OnlyModel, Overrides.parse(overrides))
    count = classes or _only_count(chosen.model) or USUAL_CLASSES
    return SingleModel(chosen.model, shape or USUAL_SHAPE, {"label": count})


def _of_config(config: Path, overrides: Sequence[str], shape: ImageShape | None, classes: int | None) -> SingleModel:
    experiment = load_experiment(str(config), overrides).experiment
    preprocessing, targets = experiment.preprocessing, experiment.dataset.known_targets()
    is_known = shape or experiment.dataset.known_shape() or preprocessing.channels
    remark = None if is_known else "the images' channels can be known only when the data is read: 3 are assumed"
    shape = shape or experiment.shape_without_data()
    if shape is None:
        raise _unknown(config, "the shape of its images", "--shape HEIGHTxWIDTHxCHANNELS")
    if targets and classes is None:
        counts = {target.name: len(target.class_names) for target in targets}
        return SingleModel(experiment.model, shape, counts, remark)
    if not (count := classes or _only_count(experiment.model)):
        raise _unknown(config, "its classes", "--classes N")
    return SingleModel(experiment.model, shape, dict.fromkeys(experiment.dataset.target_names(), count), remark)


def _only_count(model: ModelSettings) -> int | None:
    """How many classes a head must have; None for one that can have any number."""
    return 2 if model.head.problem("label", USUAL_CLASSES) else None


def _unknown(config: Path, what: str, option: str) -> ImgclfError:
    return ImgclfError(f"{config}: {what} can be known only when the data is read", hint=f"give {option}")


def _config(wanted: str) -> Path:
    known = [*map(model_name, MODELS), *(path.stem for path in shipped_configs())]
    try:
        return find_config(wanted)
    except ImgclfError:
        near = nearest_several(wanted, known)
    if network := network_named(wanted):
        text = f"{printable(wanted)}: neither a model nor a config; it is a network of the model application"
        raise ImgclfError(text, hint=f"imgclf models show application --set model.application={network}")
    hint = f"did you mean {' or '.join(near)}?" if near else "`imgclf models list` and `imgclf config list` show all"
    raise ImgclfError(f"{printable(wanted)}: neither a model nor a config", hint=hint)
