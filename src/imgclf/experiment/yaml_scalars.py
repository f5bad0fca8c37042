"""Plain scalars by YAML 1.2's core schema: 1e-3 is a number; on, yes, 2026-11-22 and 12:30 are text."""

from __future__ import annotations

import re

Scalar = None | bool | int | float | str

_INT_END = 2**63  # arrays and random generators take 64 bits
_KINDS = {  # YAML 1.2.2, section 10.3.2
    "null": re.compile(r"(?:null|Null|NULL|~|)"),
    "bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)"),
    "int": re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)"),
    "float": re.compile(
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
    ),
}


def kind_of(text: str) -> str:
    """What a plain scalar is: "null", "bool", "int", "float" or "str"."""
    return next((kind for kind in _KINDS if fits(text, kind)), "str")


def fits(text: str, kind: str) -> bool:
    """Whether the text can be written for a value of this kind."""
    return kind == "str" or (kind in _KINDS and _KINDS[kind].fullmatch(text) is not None)


def convert(text: str, kind: str) -> Scalar:
    """The value of a text that fits the kind.

    Raises OverflowError for whole numbers past 64 bits and for numbers that would silently become infinite.
    """
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        return _integer(text)
    return _float(text) if kind == "float" else text


def _integer(text: str) -> int:
    if len(text) > 100:  # Python refuses to convert thousands of digits, and slows down before
        raise OverflowError
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    number = int(text, base)
    if not -_INT_END <= number < _INT_END:
        raise OverflowError
    return number


def _float(text: str) -> float:
    if text[-1] in "fFnN":
        return float(text.replace(".", ""))
    number = float(text)
    if abs(number) == float("inf"):
        raise OverflowError
    return number
