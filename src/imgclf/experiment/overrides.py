"""Values from the command line (``--set KEY=VALUE``) over those of the file."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imgclf.errors import printable
from imgclf.experiment.document import Document
from imgclf.experiment.problems import ExperimentError, KeyPath, PlainData, Problem, dotted, shown
from imgclf.experiment.yaml_text import MAX_DEPTH, parse_value

_SEGMENT = re.compile(r"([^.\[\]=\s]+)((?:\[[0-9]{1,6}\])*)")
_POSITION = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True)
class Change:
    """One ``--set``: the key's parts as typed (positions in lists may be text: ``stages.0``), and the new value."""

    path: KeyPath
    value: PlainData
    where: str


@dataclass(frozen=True)
class Overrides:
    """Changes in the order of the command line; a later one wins."""

    changes: tuple[Change, ...] = ()

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Overrides:
        """The overrides in ``KEY=VALUE`` texts; raises ExperimentError with every one that is malformed."""
        changes: list[Change] = []
        problems: list[Problem] = []
        for argument in arguments:
            try:
                changes.append(_parse_change(argument))
            except ExperimentError as error:
                problems += error.problems
        if problems:
            raise ExperimentError(problems)
        return cls(tuple(changes))

    def apply(self, document: Document) -> Document:
        """A document with the values set; mappings that are missing on the way are made.

        Where a text stands on the way (``optimizer: adam``), it becomes the name of the section that is made there.
        Raises ExperimentError for positions past the end of a list and keys inside a number.
        """
        data, lines, origins = copy.deepcopy(document.data), dict(document.lines), dict(document.origins)
        problems: list[Problem] = []
        for change in self.changes:
            try:
                path, made = _set(data, change)
            except ExperimentError as error:
                problems += error.problems
                continue
            lines = {old: line for old, line in lines.items() if old[: len(path)] != path}
            origins = {old: origin for old, origin in origins.items() if old[: len(path)] != path}
            origins.update({path[:length]: change.where for length in range(made, len(path) + 1)})
        if problems:
            raise ExperimentError(problems)
        return Document(data, document.source, lines, origins)


NO_OVERRIDES = Overrides()


def _parse_change(argument: str) -> Change:
    shortened = argument if len(argument) <= 80 else argument[:76] + " ..."
    is_plain = shortened[:1] not in ("", " ")
    where = f"--set {printable(shortened) if is_plain else shown(shortened)}"
    key, equals, text = argument.partition("=")
    if not equals or not key:
        raise ExperimentError([Problem(where, "", "expected KEY=VALUE, for example training.epochs=3")])
    path = _parse_key(key, where)
    return Change(path, parse_value(text, where, dotted(path)), where)


def _parse_key(key: str, where: str) -> KeyPath:
    path: KeyPath = ()
    for segment in key.split("."):
        match = _SEGMENT.fullmatch(segment)
        if match is None:
            message = f"{shown(key)} is no key; expected names with dots, for example training.stages[0].epochs"
            raise ExperimentError([Problem(where, "", message)])
        path += (match[1], *(int(position) for position in _POSITION.findall(match[2])))
    if len(path) > MAX_DEPTH:
        raise ExperimentError([Problem(where, "", f"nested more than {MAX_DEPTH} levels deep")])
    return path


def _set(data: dict[str, Any], change: Change) -> tuple[KeyPath, int]:
    """Set the value in ``data``; its path, and the length of the path's first part that was not there before."""
    path: KeyPath = ()
    made = len(change.path)
    container: PlainData = data
    for part in change.path[:-1]:
        part = _part(container, part, path, change)
        path = (*path, part)
        value = container.get(part) if isinstance(container, dict) else container[part]
        if value is None or isinstance(value, str):
            made = min(made, len(path)) if value is None else made
            container[part] = {} if value is None else {"name": value}
        container = container[part]
    part = _part(container, change.path[-1], path, change)
    # The caller's later changes must not reach into this change's own value.
    container[part] = copy.deepcopy(change.value)
    return (*path, part), made


def _part(container: PlainData, part: str | int, path: KeyPath, change: Change) -> str | int:
    """The part as key or position of the container; raises ExperimentError where there is no such place."""
    if isinstance(container, dict) and isinstance(part, str):
        return part
    if isinstance(container, list) and _POSITION.fullmatch(str(part)):
        if int(part) < len(container):
            return int(part)
        message = f"there is no entry {part}; the list has {len(container)}, counted from 0"
    elif isinstance(container, list):
        message = f"a list needs a position, for example {dotted((*path, 0))}; found {shown(part)}"
    elif isinstance(container, dict):
        message = "is no list, so it has no entry by position"
    else:
        message = f"is {shown(container)}, which has no keys; set it as a whole"
    raise ExperimentError([Problem(change.where, dotted(path), message)])
