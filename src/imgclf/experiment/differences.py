"""In which keys two experiments differ, and whether a run of the one may go on as the other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from imgclf.experiment.schema import Experiment

ABSENT = object()  # the value of a key that only the other experiment has
MAY_CHANGE = ("reference", "training.tensorboard", "training.checkpoint_every_steps")
KNOWN_LATE = ("model.head.support_vectors",)  # written into the experiment when the head is fitted


@dataclass(frozen=True)
class Difference:
    """A key of the experiment, dotted, with the value that each of two has there; ABSENT where it has no such key."""

    key: str
    first: Any
    second: Any


def settings_of(experiment: Experiment) -> dict[str, Any]:
    """Every key of the complete experiment, dotted, with its value; without what it was measured to reach."""
    return dict(_flat({key: value for key, value in experiment.complete().items() if key != "reference"}, ""))


def differences(first: dict[str, Any], second: dict[str, Any]) -> Iterator[Difference]:
    """The keys in which two :func:`settings_of` differ, in their order."""
    for key in dict.fromkeys([*first, *second]):
        values = first.get(key, ABSENT), second.get(key, ABSENT)
        if values[0] != values[1]:
            yield Difference(key, *values)


def lasting_digest(experiment: Experiment) -> str:
    """Twelve hexadecimal digits over all that a run keeps while it goes on.

    Settings that have their default value are left out, so that a new setting changes no digest.
    """
    lengths, dump = _lengths(experiment), experiment.model_dump(mode="json", exclude_defaults=True)
    stages = [stage.model_dump(mode="json", exclude_defaults=True) for stage in experiment.training.resolved_stages()]
    dump["training"] = {**dump.get("training", {}), **({"stages": stages} if experiment.training.stages else stages[0])}
    kept = {key: value for key, value in _flat(dump, "") if not _may_change(key) and key not in lengths}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]


def forbidden_changes(old: Experiment, new: Experiment) -> list[Difference]:
    """In what ``new`` differs so that a run of ``old`` can't go on as it.

    The last stage may become longer, and what is written beside the results may change.
    """
    lengths = _lengths(old) & _lengths(new)
    return [
        one
        for one in differences(settings_of(old), settings_of(new))
        if not _may_change(one.key) and not (one.key in lengths and _is_longer(one))
    ]


def is_longer(old: Experiment, new: Experiment) -> bool:
    """Whether the last stage of ``new`` is longer than that of ``old``, of whose run it is."""
    lengths = _lengths(old)
    return any(one.key in lengths and _is_longer(one) for one in differences(settings_of(old), settings_of(new)))


def length_key(experiment: Experiment) -> str:
    """The key of the last stage's length, as it may be typed in any shell: ``training.stages.1.epochs``."""
    stages = len(experiment.training.stages)
    stage = f"training.stages.{stages - 1}" if stages else "training"
    return f"{stage}.{'steps' if experiment.training.resolved_stages()[-1].steps else 'epochs'}"


def _lengths(experiment: Experiment) -> set[str]:
    """The keys of the last stage's length."""
    stages = len(experiment.training.stages)
    stage = f"training.stages[{stages - 1}]" if stages else "training"
    return {f"{stage}.epochs", f"{stage}.steps"}


def _is_longer(one: Difference) -> bool:
    return isinstance(one.first, int) and isinstance(one.second, int) and one.second > one.first


def _may_change(key: str) -> bool:
    return key in KNOWN_LATE or any(key == part or key.startswith(f"{part}.") for part in MAY_CHANGE)


def _flat(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Every leaf with its dotted key; a list of plain values is a leaf, one of mappings is opened."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for position, inner in enumerate(value):
            yield from _flat(inner, f"{key}[{position}]")
    else:
        yield key, value
