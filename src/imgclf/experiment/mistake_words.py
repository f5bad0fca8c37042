"""What pydantic found wrong, in words: the key, what was expected there, and what was found."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

from pydantic import BaseModel

from imgclf.experiment.document import Document
from imgclf.experiment.mistakes import NO_VALUE, Mistake, value_at
from imgclf.experiment.problems import KeyPath, PlainData, listed, nearest, shown
from imgclf.experiment.schema_words import Node, allowed_values, describe, nodes_at
from imgclf.models.networks import network_named

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


def in_words(mistakes: list[Mistake], document: Document, model: type[BaseModel]) -> list[tuple[KeyPath, str]]:
    """The mistakes as path and message each; those that one key has as several types become one."""
    by_place: dict[tuple[KeyPath, bool], list[Mistake]] = {}
    for mistake in mistakes:
        by_place.setdefault((mistake.place.path, mistake.is_of_key), []).append(mistake)
    return [entry for same in by_place.values() for entry in _messages(same, document, model)]


def _messages(same: list[Mistake], document: Document, model: type[BaseModel]) -> Iterator[tuple[KeyPath, str]]:
    """The problems of one key: path and message each; the mistakes are those of all types that the key may have."""
    raised = [mistake for mistake in same if mistake.is_raised]
    if raised:
        yield from (
            (mistake.path, mistake.misfit.message if mistake.misfit else _raised_words(mistake)) for mistake in raised
        )
        return
    place, error = same[0].place, same[0].error
    path = place.path
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        yield _name_message(same[0], document)
    elif error["type"] == "extra_forbidden":
        yield path, _unknown("unknown key", str(path[-1]), place.keys, "allowed")
    elif same[0].is_of_key:
        yield path, f"this key is not accepted: {_pydantic_words(error)}"
    elif error["type"] == "missing":
        expected = _expected(path, document, model)
        yield path, f"missing; expected {expected}" if expected else "missing"
    else:
        yield path, _mismatch(same, document, model)


def _raised_words(mistake: Mistake) -> str:
    return str(mistake.error["ctx"]["error"]) or "not accepted"


def _name_message(mistake: Mistake, document: Document) -> tuple[KeyPath, str]:
    place = mistake.place
    key = mistake.error["ctx"]["discriminator"].strip("'")
    section = value_at(document.data, place.path)
    name = section.get(key, NO_VALUE) if isinstance(section, dict) else section
    path = (*place.path, key) if isinstance(section, dict) else place.path
    if name is NO_VALUE:
        return path, f"missing; expected {_one_of(place.tags)}"
    if not isinstance(name, str):
        return path, f"expected {_one_of(place.tags)}, found {shown(name)}"
    unknown = f"unknown {key} {shown(name)}"
    if "application" in place.tags and (network := network_named(name)):
        return (
            path,
            f"{unknown}; did you mean the network of keras.applications? {{name: application, application: {network}}}",
        )
    return path, _unknown(unknown, name, place.tags, "expected one of")


def _unknown(what: str, word: str, allowed: tuple[str, ...], introduction: str) -> str:
    if near := nearest(word, allowed):
        return f"{what}; did you mean {shown(near)}?"
    words = ", ".join(allowed) if introduction == "allowed" else listed(allowed)
    separator = ": " if introduction == "allowed" else " "
    return f"{what}; {introduction}{separator}{words or 'nothing'}"


def _one_of(words: tuple[str, ...]) -> str:
    return listed(words) if len(words) == 1 else f"one of {listed(words)}"


def _mismatch(same: list[Mistake], document: Document, model: type[BaseModel]) -> str:
    path, error = same[0].place.path, same[0].error
    value = value_at(document.data, path)
    found = shown(error["input"] if value is NO_VALUE else value)
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
