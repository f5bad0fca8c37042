"""JSON Schema in words: what a key takes, for messages and for the reference page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imgclf.experiment.problems import KeyPath, PlainData, listed, shown

Node = dict[str, Any]  # a node of a JSON Schema

_NOUNS = {  # one, several
    "integer": ("a whole number", "whole numbers"),
    "number": ("a number", "numbers"),
    "string": ("text", "texts"),
    "boolean": ("true or false", "values true or false"),
    "null": ("null", "nulls"),
}


def describe(node: Node, schema: Node | None = None) -> str:
    """What the node takes: "a whole number of 1 or more", "a list of numbers greater than 0", "text or null".

    ``schema`` is the whole schema, in which references of the node are looked up.
    """
    return _words(node, schema or node, several=False)


def nodes_at(schema: Node, path: KeyPath, data: PlainData) -> list[Node]:
    """The nodes that stand for ``path``; several where types are alternatives. ``data`` decides by its names."""
    nodes = [schema]
    for part in path:
        nodes = [child for node in nodes for member in _deciding(schema, node, data) for child in _child(member, part)]
        data = _value_at(data, part)
    return nodes


def members(schema: Node, node: Node) -> list[Node]:
    """The alternatives of a node, references resolved; a node chosen by name counts as one."""
    node = resolve(schema, node)
    alternatives = node.get("anyOf") or ([] if names(node) else node.get("oneOf")) or node.get("allOf")
    return [member for inner in alternatives for member in members(schema, inner)] if alternatives else [node]


def resolve(schema: Node, node: Node) -> Node:
    """The node behind a reference, with the description and default that stand beside the reference."""
    if "$ref" not in node:
        return node
    target: Node = schema["$defs"][node["$ref"].removeprefix("#/$defs/")]
    return {**resolve(schema, target), **{key: value for key, value in node.items() if key != "$ref"}}


def names(node: Node) -> dict[str, str]:
    """Where a name decides which settings stand here: each name with the reference of its settings, as declared."""
    mapping: dict[str, str] = node.get("discriminator", {}).get("mapping", {})
    declared = [inner.get("$ref") for inner in node.get("oneOf", ())]
    return dict(sorted(mapping.items(), key=lambda item: declared.index(item[1]) if item[1] in declared else 0))


def allowed_values(schema: Node, nodes: list[Node]) -> list[Any]:
    """The values that are listed one by one, of all alternatives."""
    flat = [member for node in nodes for member in members(schema, node)]
    return [value for node in flat for value in _listed_values(node)]


def _deciding(schema: Node, node: Node, data: PlainData) -> list[Node]:
    found = []
    for member in members(schema, node):
        mapping = names(member)
        key = member.get("discriminator", {}).get("propertyName")
        tag = data.get(key) if isinstance(data, Mapping) else data
        if mapping and isinstance(tag, str) and tag in mapping:
            found.append(resolve(schema, {"$ref": mapping[tag]}))
        elif mapping:
            found += [resolve(schema, inner) for inner in member["oneOf"]]
        else:
            found.append(member)
    return found


def _child(node: Node, part: str | int) -> list[Node]:
    if isinstance(part, int):
        places = node.get("prefixItems", [])
        child = places[part] if part < len(places) else node.get("items")
    else:
        child = node.get("properties", {}).get(part, node.get("additionalProperties"))
    return [child] if isinstance(child, dict) else []


def _value_at(data: PlainData, part: str | int) -> PlainData:
    if isinstance(part, int):
        return data[part] if isinstance(data, list) and part < len(data) else None
    return data.get(part) if isinstance(data, Mapping) else None


def _words(node: Node, schema: Node, several: bool) -> str:
    alternatives = members(schema, node)
    if len(alternatives) > 1:
        words = list(dict.fromkeys(_words(member, schema, several) for member in alternatives))
        return (" or " if all(_is_short(word) for word in words) else ", or ").join(words)
    node = alternatives[0]
    if values := _listed_values(node):
        return _words_for_values(values, several)
    if mapping := names(node):
        noun = "mappings" if several else "a mapping"
        return f"{noun} with one of the names {listed(mapping)}, or the name alone"
    kind = node.get("type")
    if kind == "array":
        return _words_for_list(node, schema, several)
    if kind == "object":
        return _words_for_mapping(node, schema, several)
    if kind in _NOUNS:
        return _NOUNS[kind][several] + _bounds(node) + _lengths(node)
    return "values" if several else "any value"


def _is_short(words: str) -> bool:
    return " or " not in words and ", " not in words


def _listed_values(node: Node) -> list[Any]:
    return [node["const"]] if "const" in node else list(node.get("enum", ()))


def _words_for_values(values: list[Any], several: bool) -> str:
    texts = ", ".join(shown(value) for value in values)
    if several:
        return f"values out of {texts}"
    return texts if len(values) == 1 else f"one of {texts}"


def _words_for_list(node: Node, schema: Node, several: bool) -> str:
    noun = "lists" if several else "a list"
    places = node.get("prefixItems", [])
    if places and any(place != places[0] for place in places):
        return f"{noun} of {len(places)} values: " + ", ".join(_words(place, schema, False) for place in places)
    items = places[0] if places else node.get("items", {})
    least, most = node.get("minItems", 0), node.get("maxItems")
    count = f"{least} " if least and least == most else ""
    words = f"{noun} of {count}{_words(items, schema, True)}"
    if count or several:
        return words  # those of a list of lists are said at its end
    inner = items.get("minItems", 0) if items.get("type") == "array" and not items.get("maxItems") else 0
    entries = _entries(least, most)
    return f"{words}{entries.removesuffix(')')}{f', each of at least {inner}' if inner else ''})" if entries else words


def _entries(least: int, most: int | None) -> str:
    if most is not None:
        return f" ({least} to {most} entries)" if least else f" (at most {most} entries)"
    return f" (at least {least} {'entry' if least == 1 else 'entries'})" if least else ""


def _words_for_mapping(node: Node, schema: Node, several: bool) -> str:
    noun = "mappings" if several else "a mapping"
    values = node.get("additionalProperties")
    return f"{noun} from text to {_words(values, schema, True)}" if isinstance(values, dict) else noun


def _bounds(node: Node) -> str:
    above, least = node.get("exclusiveMinimum"), node.get("minimum")
    below, most = node.get("exclusiveMaximum"), node.get("maximum")
    if least is not None and most is not None:
        words = [f"from {_number(least)} to {_number(most)}"]
    else:
        words = [f"greater than {_number(above)}"] if above is not None else []
        words += [f"of {_number(least)} or more"] if least is not None else []
        words += [f"less than {_number(below)}"] if below is not None else []
        words += [f"of {_number(most)} or less"] if most is not None else []
    if "multipleOf" in node:
        words.append(f"divisible by {_number(node['multipleOf'])}")
    return "".join(" " + ("and " if position else "") + word for position, word in enumerate(words))


def _lengths(node: Node) -> str:
    words = []
    if node.get("minLength"):
        words.append("that is not empty" if node["minLength"] == 1 else f"of {node['minLength']} or more characters")
    if "maxLength" in node:
        words.append(f"of at most {node['maxLength']} characters")
    if "pattern" in node:
        words.append(f"that matches {node['pattern']}")
    return "".join(" " + ("and " if position else "") + word for position, word in enumerate(words))


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)
