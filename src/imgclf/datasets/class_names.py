"""Lists of classes in an experiment file."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = [name for position, name in enumerate(names) if name in names[:position]]
    if twice:
        raise ValueError(f'every class must stand in the list once; "{twice[0]}" stands there twice')
    return names


Name = Annotated[str, Field(min_length=1)]
ClassNames = Annotated[tuple[Name, ...], Field(min_length=2), AfterValidator(_each_once)]
