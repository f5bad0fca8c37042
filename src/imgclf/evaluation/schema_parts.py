"""The pieces that the published JSON Schemas (draft 2020-12) are made of; each is described."""

from __future__ import annotations

from typing import Any

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def text(description: str) -> dict[str, Any]:
    """A text."""
    return {"type": "string", "description": description}


def count(description: str, minimum: int = 0) -> dict[str, Any]:
    """A whole number from ``minimum`` on."""
    return {"type": "integer", "minimum": minimum, "description": description}


def number(description: str, minimum: float | None = None) -> dict[str, Any]:
    """A number, from ``minimum`` on where one is given."""
    bound = {} if minimum is None else {"minimum": minimum}
    return {"type": "number", **bound, "description": description}


def share(description: str, *, may_be_null: bool = False) -> dict[str, Any]:
    """A number from 0 to 1."""
    kind: Any = ["number", "null"] if may_be_null else "number"
    return {"type": kind, "minimum": 0, "maximum": 1, "description": description}


def interval(description: str) -> dict[str, Any]:
    """Two numbers from 0 to 1."""
    return {
        "type": "array",
        "prefixItems": [share("Lower bound."), share("Upper bound.")],
        "items": False,
        "minItems": 2,
        "description": description,
    }


def array(items: dict[str, Any], description: str, minimum: int = 0) -> dict[str, Any]:
    """A list of at least ``minimum`` entries."""
    return {"type": "array", "items": items, "minItems": minimum, "description": description}


def mapping(values: dict[str, Any], description: str) -> dict[str, Any]:
    """An object with any names, whose values are all of one kind."""
    return {"type": "object", "additionalProperties": values, "description": description}


def strict_object(properties: dict[str, Any], description: str, *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """An object that must have all properties but the ``optional`` ones, and no others."""
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, or null."""
    return {"oneOf": [schema, {"type": "null"}], "description": schema["description"]}
