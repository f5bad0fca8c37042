"""The base of every settings class: the sections of an experiment file and their parts."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Unknown keys are refused, types are not guessed ("3" is no number), and what was validated does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


ImageShape = tuple[int, int, int]  # height, width, channels
Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]


class Misfit(ValueError):
    """What a validator raises for a key below it; ``path`` is relative to the model that raises.

    ``others`` are the paths of the other keys that it follows from: where one of them is wrong itself, this is no news.
    """

    def __init__(
        self, path: tuple[str | int, ...], message: str, others: tuple[tuple[str | int, ...], ...] = ()
    ) -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.others = others


def refuse_idle(settings: Settings, key: str, other: str, why: str) -> None:
    """Raise Misfit where ``key`` has no effect, ``why``, and was given another value than its default.

    ``other`` is the key that decides. A value that is the default may have been written by the program itself, and 0 or
    nothing asks for no effect.
    """
    value, field = getattr(settings, key), type(settings).model_fields[key]
    if value and value != field.get_default(call_default_factory=True):
        raise Misfit((key,), f"has no effect {why}", ((other,),))


class Misfits(ValueError):
    """Several misfits of one validator, reported together."""

    def __init__(self, problems: list[Misfit]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems
