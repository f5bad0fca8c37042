"""The published schemas of groups of runs are valid, and describe every property."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from imgclf.evaluation.group_schemas import COMPARISON_SCHEMA, SUMMARY_SCHEMA


@pytest.mark.parametrize("schema", [SUMMARY_SCHEMA, COMPARISON_SCHEMA])
def test_schema_is_valid_and_describes_every_property(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    _assert_described(schema)


def _assert_described(schema: dict[str, Any]) -> None:
    for part in schema.get("properties", {}).values():
        assert part["description"]
        _assert_described(part)
    for part in [schema.get("items"), schema.get("additionalProperties"), *schema.get("oneOf", [])]:
        if isinstance(part, dict):
            _assert_described(part)
