"""A document against a settings class: the validated settings, or every mistake in words."""

from __future__ import annotations

import copy
import functools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from imgclf.experiment.document import Document
from imgclf.experiment.overrides import NO_OVERRIDES, Overrides
from imgclf.experiment.places import Place, Places
from imgclf.experiment.problems import ExperimentError, KeyPath, PlainData, Problem, dotted, listed, nearest, shown
from imgclf.experiment.schema_words import Node, allowed_values, describe, nodes_at
from imgclf.settings import Misfit, Misfits

M = TypeVar("M", bound=BaseModel)

_NO_VALUE = object()
_OF_TYPE_OR_BOUND = (  # mistakes that are said in full by what the schema expects and what was found
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "multiple_of",
    "finite_number",
    "literal_error",
    "enum",
    "none_required",
    "too_short",
    "too_long",
    "string_too_short",
    "string_too_long",
    "string_pattern_mismatch",
    "int_from_float",
)


@dataclass(frozen=True)
class _Mistake:
    place: Place
    error: Any  # pydantic's ErrorDetails: type, loc, msg, input, ctx


def validate(document: Document, model: type[M], overrides: Overrides = NO_OVERRIDES) -> M:
    """The settings in the document after the overrides.

    JSON is what pydantic is given, since a list is a tuple there also in its strict mode, which the models ask for.

    Where the key ``name`` decides which settings stand in a section, the name alone may stand for the section:
    ``optimizer: adam`` is ``optimizer: {name: adam}``. Raises ExperimentError with every mistake, sorted by line.
    """
    document = overrides.apply(document)
    data = copy.deepcopy(document.data)
    while True:
        try:
            return model.model_validate_json(json.dumps(data))
        except ValidationError as error:
            places = Places(model)
            mistakes = [
                _Mistake(places.find(entry["loc"]), entry)
                for entry in error.errors(include_url=False)
                if not _is_counted_wrong(entry)
            ]
            if not _expand_names(data, mistakes):
                raise ExperimentError(_problems(mistakes, document, model)) from None


def _expand_names(data: dict[str, Any], mistakes: list[_Mistake]) -> bool:
    """Put ``{name: text}`` where a text stands for a section that is chosen by name; True where there was one."""
    expanded = False
    for place in (mistake.place for mistake in mistakes):
        value = _value(data, place.path)
        # Among other types, only a text that is one of the names is meant as a name.
        if place.tags and isinstance(value, str) and (value in place.tags or not place.branches):
            _value(data, place.path[:-1])[place.path[-1]] = {"name": value}
            expanded = True
    return expanded


def _problems(mistakes: list[_Mistake], document: Document, model: type[BaseModel]) -> list[Problem]:
    by_place: dict[tuple[KeyPath, bool], list[_Mistake]] = {}
    for mistake in _settle_branches(mistakes):
        by_place.setdefault((mistake.place.path, _is_of_key(mistake)), []).append(mistake)
    found = [entry for same in by_place.values() for entry in _messages(same, document, model)]
    found = list(dict.fromkeys(found))
    return [
        Problem(document.where(path), dotted(path), message)
        for path, message in sorted(found, key=lambda entry: _order(document, entry[0]))
    ]


def _order(document: Document, path: KeyPath) -> tuple[bool, int]:
    """The file's lines first, then the overrides in their order."""
    origin = document.origin(path)
    return (True, [*document.origins.values()].index(origin)) if isinstance(origin, str) else (False, origin)


def _settle_branches(mistakes: list[_Mistake]) -> list[_Mistake]:
    """Where a key takes several types: only the mistakes of the type that the value was most likely meant to be.

    That is a type whose outer form fits (a list where a list is one of the types), with the fewest mistakes inside.
    Where no form fits, all stay, for one message that names all types.
    """
    for crossing in sorted({path for mistake in mistakes for path, _ in mistake.place.branches}, key=len):
        by_label: dict[str, list[_Mistake]] = {}
        for mistake in mistakes:
            if label := dict(mistake.place.branches).get(crossing):
                by_label.setdefault(label, []).append(mistake)
        fitting = [
            label for label, same in by_label.items() if all(len(one.place.path) > len(crossing) for one in same)
        ]
        if fitting:
            kept = min(fitting, key=lambda label: len(by_label[label]))
            mistakes = [one for one in mistakes if dict(one.place.branches).get(crossing, kept) == kept]
    return mistakes


def _messages(same: list[_Mistake], document: Document, model: type[BaseModel]) -> Iterator[tuple[KeyPath, str]]:
    """The problems of one key: path and message each; the mistakes are those of all types that the key may have."""
    raised = [mistake for mistake in same if mistake.error["type"] in ("value_error", "assertion_error")]
    if raised:
        for mistake in raised:
            yield from _messages_raised(mistake)
        return
    place, error = same[0].place, same[0].error
    path = place.path
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        yield _name_message(same[0], document)
    elif error["type"] == "extra_forbidden":
        yield path, _unknown("unknown key", str(path[-1]), place.keys, "allowed")
    elif _is_of_key(same[0]):
        yield path, f"this key is not accepted: {_pydantic_words(error)}"
    elif error["type"] == "missing":
        expected = _expected(path, document, model)
        yield path, f"missing; expected {expected}" if expected else "missing"
    else:
        yield path, _mismatch(same, document, model)


def _messages_raised(mistake: _Mistake) -> Iterator[tuple[KeyPath, str]]:
    path, raised = mistake.place.path, mistake.error["ctx"]["error"]
    if isinstance(raised, Misfits):
        yield from ((path + misfit.path, misfit.message) for misfit in raised.problems)
    elif isinstance(raised, Misfit):
        yield path + raised.path, raised.message
    else:
        yield path, str(raised) or "not accepted"


def _name_message(mistake: _Mistake, document: Document) -> tuple[KeyPath, str]:
    place = mistake.place
    key = mistake.error["ctx"]["discriminator"].strip("'")
    section = _value(document.data, place.path)
    name = section.get(key, _NO_VALUE) if isinstance(section, dict) else section
    path = (*place.path, key) if isinstance(section, dict) else place.path
    if name is _NO_VALUE:
        return path, f"missing; expected {_one_of(place.tags)}"
    if not isinstance(name, str):
        return path, f"expected {_one_of(place.tags)}, found {shown(name)}"
    return path, _unknown(f"unknown {key} {shown(name)}", name, place.tags, "expected one of")


def _unknown(what: str, word: str, allowed: tuple[str, ...], introduction: str) -> str:
    if near := nearest(word, allowed):
        return f"{what}; did you mean {shown(near)}?"
    words = ", ".join(allowed) if introduction == "allowed" else listed(allowed)
    separator = ": " if introduction == "allowed" else " "
    return f"{what}; {introduction}{separator}{words or 'nothing'}"


def _one_of(words: tuple[str, ...]) -> str:
    return listed(words) if len(words) == 1 else f"one of {listed(words)}"


def _mismatch(same: list[_Mistake], document: Document, model: type[BaseModel]) -> str:
    path, error = same[0].place.path, same[0].error
    value = _value(document.data, path)
    found = shown(error["input"] if value is _NO_VALUE else value)
    expected = _expected(path, document, model)
    kinds = [mistake.error["type"] for mistake in same]
    if not expected or not all(kind.endswith(("_type", "_parsing")) or kind in _OF_TYPE_OR_BOUND for kind in kinds):
        return f"{_pydantic_words(error)}, found {found}"
    if isinstance(value, float) and not math.isfinite(value):
        expected = expected.replace("a number", "a finite number")
    schema = _schema(model)
    words = [word for word in allowed_values(schema, nodes_at(schema, path, document.data)) if isinstance(word, str)]
    near = nearest(value, words) if isinstance(value, str) else None
    return f"expected {expected}, found {found}" + (f"; did you mean {shown(near)}?" if near else "")


def _is_counted_wrong(error: PlainData) -> bool:
    """Whether a list is called too short only because its wrong entries, reported anyway, were not counted."""
    return bool(error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"])


def _is_of_key(mistake: _Mistake) -> bool:
    """Whether the mistake is that of a key that people choose, not that of its value."""
    location: tuple[str | int, ...] = mistake.error["loc"]
    return location[-1:] == ("[key]",)


def _pydantic_words(error: PlainData) -> str:
    return str(error["msg"][:1].lower() + error["msg"][1:])


@functools.cache
def _schema(model: type[BaseModel]) -> Node:
    """Made when a message needs it: the experiment's takes 50 ms, and an unknown key needs none."""
    return model.model_json_schema()


def _expected(path: KeyPath, document: Document, model: type[BaseModel]) -> str:
    schema = _schema(model)
    nodes = nodes_at(schema, path, document.data)
    return describe({"anyOf": nodes}, schema) if nodes else ""


def _value(data: PlainData, path: KeyPath) -> PlainData:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return _NO_VALUE
    return data
