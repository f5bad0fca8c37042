"""A document against a settings class: the validated settings, or every mistake in words."""

from __future__ import annotations

import copy
import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from imgclf.experiment.document import Document
from imgclf.experiment.mistake_words import in_words
from imgclf.experiment.mistakes import Mistake, Remains, mistakes_of, settle_branches, value_at
from imgclf.experiment.overrides import NO_OVERRIDES, Overrides
from imgclf.experiment.places import Places
from imgclf.experiment.problems import ExperimentError, KeyPath, Problem, dotted

M = TypeVar("M", bound=BaseModel)

_ROUNDS = 10  # a wrong value goes in one round; a missing one takes its section with it, level by level


def validate(document: Document, model: type[M], overrides: Overrides = NO_OVERRIDES) -> M:
    """The settings in the document after the overrides.

    JSON is what pydantic is given, since a list is a tuple there also in its strict mode, which the models ask for.

    Where the key ``name`` decides which settings stand in a section, the name alone may stand for the section:
    ``optimizer: adam`` is ``optimizer: {name: adam}``. Raises ExperimentError with every mistake, sorted by line.
    """
    document = overrides.apply(document)
    data = copy.deepcopy(document.data)
    result = _attempt(data, model)
    if isinstance(result, list):
        raise ExperimentError(_problems(data, result, document, model))
    return result


def _attempt(data: dict[str, Any], model: type[M]) -> M | list[Mistake]:
    """The settings, or the mistakes; names that stand for sections are expanded in ``data``."""
    while True:
        try:
            return model.model_validate_json(json.dumps(data))
        except ValidationError as error:
            mistakes = mistakes_of(error, Places(model))
            if not _expand_names(data, mistakes):
                return settle_branches(mistakes)


def _problems(
    data: dict[str, Any], mistakes: list[Mistake], document: Document, model: type[BaseModel]
) -> list[Problem]:
    """The mistakes, and those that pydantic finds in the rest once they are out: it compares no keys before."""
    remains, found = Remains(data), []
    for _ in range(_ROUNDS):
        found += in_words(remains.news(mistakes), document, model)
        result = _attempt(remains.data, model) if remains.take_out(mistakes) else None
        if not isinstance(result, list):
            break
        mistakes = result
    return [
        Problem(document.where(path), dotted(path), message)
        for path, message in sorted(dict.fromkeys(found), key=lambda entry: _order(document, entry[0]))
    ]


def _order(document: Document, path: KeyPath) -> tuple[bool, int]:
    """The file's lines first, then the overrides in their order."""
    origin = document.origin(path)
    return (True, [*document.origins.values()].index(origin)) if isinstance(origin, str) else (False, origin)


def _expand_names(data: dict[str, Any], mistakes: list[Mistake]) -> bool:
    """Put ``{name: text}`` where a text stands for a section that is chosen by name; True where there was one."""
    expanded = False
    for place in (mistake.place for mistake in mistakes):
        value = value_at(data, place.path)
        # Among other types, only a text that is one of the names is meant as a name.
        if place.tags and isinstance(value, str) and (value in place.tags or not place.branches):
            value_at(data, place.path[:-1])[place.path[-1]] = {"name": value}
            expanded = True
    return expanded
