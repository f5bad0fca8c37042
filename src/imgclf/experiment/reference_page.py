"""The reference of every key as Markdown, and the JSON Schema for editors: both from the settings classes alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import BaseModel

from imgclf.experiment.problems import PlainData
from imgclf.experiment.schema_words import Node, describe, members, names, resolve

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TABLE_HEAD = "| key | type | default | meaning |\n|---|---|---|---|"
_NO_DEFAULT = object()


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of an experiment file, as editors read it.

    Where a name decides which settings stand in a section, the schema takes the name alone as well.
    """
    schema: dict[str, Any] = _with_plain_names(model.model_json_schema())
    return {"$schema": _DIALECT, **schema}


def reference_page(model: type[BaseModel], title: str, intro: str = "") -> str:
    """A Markdown page with every key of ``model``: type, default, meaning; one heading a section.

    Settings that a name decides on have a sub-heading a name. Where they stand deeper than a section (an optimizer, an
    initialiser), they have a heading of their own after the sections, once, with all the keys that take them.
    """
    schema = model.model_json_schema()
    page = _Page(schema)
    sections = list(_sections(schema))
    parts = [f"# {title}", intro.strip(), _overview(page, schema)]
    parts += [_section(page, key, node) for key, node in sections]
    done = 0
    while done < len(page.choices):  # writing one choice may find further ones
        page.choices[done].text = _names_in_detail(page, page.choices[done].node, page.choices[done].keys[0])
        done += 1
    parts += [f"## {_quoted(choice.titles)}\n\n{choice.places}\n\n{choice.text}" for choice in page.choices]
    text = "\n\n".join(part for part in parts if part)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


@dataclass
class _Choice:
    """Settings that a name decides on, somewhere below a section, and the keys where they stand."""

    node: Node
    keys: list[str] = field(default_factory=list)
    text: str = ""

    @property
    def titles(self) -> list[str]:
        return list(dict.fromkeys(key.rsplit(".", 1)[-1].removesuffix("[]") for key in self.keys))

    @property
    def places(self) -> str:
        return f"Stands at: {_quoted(self.keys)}. The name alone may stand for the mapping."


@dataclass
class _Page:
    """The schema, and the choices that the tables have named so far."""

    schema: Node
    choices: list[_Choice] = field(default_factory=list)

    def note(self, node: Node, key: str) -> None:
        sections = [_structure(self.schema, section) for _, section in _sections(self.schema)]
        if any(section and names(section[0]) == names(node) for section in sections):
            return  # a section of its own describes it
        choice = next((known for known in self.choices if names(known.node) == names(node)), None)
        if choice is None:
            choice = _Choice(node)
            self.choices.append(choice)
        if key not in choice.keys:
            choice.keys.append(key)


def _sections(schema: Node) -> Iterator[tuple[str, Node]]:
    for key, node in schema["properties"].items():
        if _structure(schema, node) is not None:
            yield key, resolve(schema, node)


def _overview(page: _Page, schema: Node) -> str:
    sections = dict(_sections(schema))
    rows = []
    for key, node in schema["properties"].items():
        own = node.get("default", _NO_DEFAULT)
        default = "see below" if isinstance(own, dict) else _yaml(own, key in schema.get("required", ()))
        rows.append(_row(f"[`{key}`](#{key})" if key in sections else f"`{key}`", page, node, default))
    return "\n".join([_TABLE_HEAD, *rows])


def _section(page: _Page, key: str, node: Node) -> str:
    structure, marker = _structure(page.schema, node) or (node, "")
    parts = [f"## `{key}`", str(node.get("description", ""))]
    if names(structure):
        parts += [f"{_capital(describe(node, page.schema))}.", _names_in_detail(page, structure, key + marker)]
    else:
        if marker:
            parts.append(f"{_capital(describe(node, page.schema))}.")
        default = node.get("default", _NO_DEFAULT)
        parts.append(_table(page, structure, key + marker, default))
    return "\n\n".join(part for part in parts if part)


def _names_in_detail(page: _Page, choice: Node, key: str) -> str:
    """A sub-heading for every class of a choice: its names, what it is, its keys."""
    by_class: dict[str, list[str]] = {}
    for name, reference in names(choice).items():
        by_class.setdefault(reference, []).append(name)
    deciding = choice["discriminator"]["propertyName"]
    parts = []
    for reference, spellings in by_class.items():
        node = resolve(page.schema, {"$ref": reference})
        others = {name: inner for name, inner in node["properties"].items() if name != deciding}
        table = _table(page, {**node, "properties": others}, key, _NO_DEFAULT) if others else "No further keys."
        parts += [f"### {_quoted(spellings)}", _first_paragraph(node), table]
    return "\n\n".join(part for part in parts if part)


def _table(page: _Page, node: Node, section: str, default: PlainData) -> str:
    return "\n".join([_TABLE_HEAD, *_rows(page, node, section, "", default, (node.get("title", ""),))])


def _rows(
    page: _Page, node: Node, section: str, prefix: str, default: PlainData, open_titles: tuple[str, ...]
) -> Iterator[str]:
    """The rows of one mapping, those of mappings in it with dotted keys; ``default`` is that of the mapping."""
    required = node.get("required", ())
    for name, raw in node["properties"].items():
        inner, key = resolve(page.schema, raw), prefix + name
        own = default.get(name, _NO_DEFAULT) if isinstance(default, dict) else inner.get("default", _NO_DEFAULT)
        structure, marker = _structure(page.schema, inner) or (None, "")
        if structure is not None and names(structure):
            page.note(structure, f"{section}.{key}{marker}")
        nested = structure is not None and not names(structure) and structure.get("title") not in open_titles
        shown_default = "the keys below" if nested and isinstance(own, dict) else _yaml(own, name in required)
        yield _row(f"`{key}`", page, inner, shown_default)
        if nested and structure is not None:
            titles = (*open_titles, structure.get("title", ""))
            yield from _rows(page, structure, section, f"{key}{marker}.", own, titles)


def _structure(schema: Node, node: Node) -> tuple[Node, str] | None:
    """The settings inside a node (a mapping with keys, or one that a name decides on), "[]" where it is a list."""
    for member in members(schema, node):
        if names(member) or "properties" in member:
            return member, ""
        if member.get("type") == "array" and (inner := _structure(schema, member.get("items", {}))):
            return inner[0], inner[1] + "[]"
    return None


def _row(key: str, page: _Page, node: Node, default: str) -> str:
    structure = _structure(page.schema, node)
    # The class docstring comes with the reference; a field's own description stands in its place.
    meaning = str(node.get("description", ""))
    kind = describe(node, page.schema)
    if structure and names(structure[0]) and len(kind) > 100:
        kind = kind.replace(f" with one of the names {_as_words(names(structure[0]))}", " that its name decides on")
    cells = [key, kind, default, " ".join(meaning.split())]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _yaml(value: PlainData, required: bool) -> str:
    if value is _NO_DEFAULT:
        return "required" if required else ""
    text = yaml.safe_dump(
        _in_order(value), default_flow_style=True, width=float("inf"), sort_keys=False, allow_unicode=True
    )
    return f"`{text.removesuffix(chr(10)).removesuffix('...').strip()}`"


def _in_order(value: PlainData) -> PlainData:
    """The value with the keys of its mappings sorted, ``name`` first: pydantic's own order differs by version."""
    if isinstance(value, list):
        return [_in_order(inner) for inner in value]
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value, key=lambda key: (key != "name", key))}
    return value


def _with_plain_names(node: PlainData) -> PlainData:
    if isinstance(node, list):
        return [_with_plain_names(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    node = {key: inner if key == "default" else _with_plain_names(inner) for key, inner in node.items()}
    if not isinstance(node.get("discriminator"), dict) or not names(node):
        return node
    choice = {key: node.pop(key) for key in ("oneOf", "discriminator")}
    return {"anyOf": [choice, {"type": "string", "enum": list(names(choice))}], **node}


def _first_paragraph(node: Node) -> str:
    return " ".join(str(node.get("description", "")).split("\n\n")[0].split())


def _as_words(words: dict[str, str]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def _quoted(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
