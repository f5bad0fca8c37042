"""Where in the file a mistake stands that pydantic reports: its location without the names of types and choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from imgclf.experiment.problems import KeyPath

Branch = tuple[KeyPath, str]  # where a choice between types stands, and pydantic's label of the type that was tried

_Node = dict[str, Any]  # a node of pydantic's core schema


@dataclass(frozen=True)
class Place:
    """A place in the file, as the model sees it.

    ``keys``: the keys allowed beside the last part of ``path``. ``tags``: the names allowed where the name decides
    which settings stand here. ``branches``: the undecided choices between types on the way.
    """

    path: KeyPath
    keys: tuple[str, ...]
    tags: tuple[str, ...]
    branches: tuple[Branch, ...]


class Places:
    """Turns pydantic's locations into places by walking the schema that pydantic validated with."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._root: _Node = dict(model.__pydantic_core_schema__)
        self._definitions: dict[str, _Node] = {}
        _collect_definitions(self._root, self._definitions)

    def find(self, location: tuple[str | int, ...]) -> Place:
        path: KeyPath = ()
        keys: tuple[str, ...] = ()
        branches: tuple[Branch, ...] = ()
        nodes = self._open(self._root)
        for part in location:
            choices = [node["choices"][part] for node in nodes if _is_tag(node, part)]
            unions = [node for node in nodes if node["type"] == "union"]
            if choices:
                following = choices
            elif unions and isinstance(part, str):
                branches = (*branches, (path, part))
                following = self._tried(unions, part)
            elif part == "[key]":
                break  # pydantic's mark for "the key itself"
            else:
                path = (*path, part)
                keys = tuple(key for node in nodes for key in node.get("fields", ()))
                following = [child for node in nodes if (child := _child(node, part)) is not None]
            nodes = [opened for node in following for opened in self._open(node)]
        tags = tuple(str(tag) for node in nodes if node["type"] == "tagged-union" for tag in node["choices"])
        return Place(path, keys, tags, branches)

    def _open(self, node: _Node) -> list[_Node]:
        """The nodes that stand behind wrappers (defaults, validators, references), which pydantic's locations skip."""
        if node["type"] == "definition-ref":
            return self._open(self._definitions[node["schema_ref"]])
        if node["type"] == "chain":
            return [opened for step in node["steps"] for opened in self._open(step)]
        for inner in ("schema", "strict_schema", "json_schema"):
            if inner in node:
                return self._open(node[inner])
        return [node]

    def _tried(self, unions: list[_Node], label: str) -> list[_Node]:
        """The choices that carry the label; all of them where pydantic's label does not tell."""
        choices = [choice[0] if isinstance(choice, tuple) else choice for node in unions for choice in node["choices"]]
        return [choice for choice in choices if label.startswith(self._label_starts(choice))] or choices

    def _label_starts(self, node: _Node) -> tuple[str, ...]:
        if node["type"] in ("definition-ref", "default", "definitions"):
            inner = self._definitions[node["schema_ref"]] if "schema_ref" in node else node["schema"]
            return self._label_starts(inner)
        if node["type"] == "model":
            return (node["cls"].__name__,)
        return node["type"], f"constrained-{node['type']}"


def _is_tag(node: _Node, part: str | int) -> bool:
    return node["type"] == "tagged-union" and part in node["choices"]


def _child(node: _Node, part: str | int) -> _Node | None:
    child: _Node | None
    if isinstance(part, int):
        items = node.get("items_schema")
        child = items[min(part, len(items) - 1)] if isinstance(items, list) and items else items or None
    elif "fields" in node:
        child = node["fields"].get(part)
    else:
        child = node.get("values_schema")
    return child


def _collect_definitions(node: object, found: dict[str, _Node]) -> None:
    if isinstance(node, dict):
        if "ref" in node:
            found[node["ref"]] = node
        for key, inner in node.items():
            if key not in ("metadata", "serialization", "config", "default"):
                _collect_definitions(inner, found)
    elif isinstance(node, (list, tuple)):
        for inner in node:
            _collect_definitions(inner, found)
