"""A part of the experiment file that may be written as a plain name: ``optimizer: adam`` for ``{name: adam}``."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


class PlainName:
    """Annotation of a union told apart by ``name``: a text is taken as the name, with every other key at its default.

    It stands last: ``Annotated[Union, Field(discriminator="name"), PlainName(classes)]``. Behind a validator that
    runs before the type's own, pydantic no longer takes a JSON array for a tuple in strict mode: the tuple fields of
    such classes must be declared with ``Field(strict=False)``; their items stay strict.
    """

    def __init__(self, classes: tuple[type[BaseModel], ...]) -> None:
        self.names = [get_args(settings.model_fields["name"].annotation)[0] for settings in classes]

    def __get_pydantic_core_schema__(self, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_spell_out, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "enum": self.names}, handler(schema)]}


def _spell_out(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value
