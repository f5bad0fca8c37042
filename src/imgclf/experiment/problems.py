"""What is wrong in an experiment: each mistake with its place, its key and what was expected there."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from imgclf.errors import ImgclfError, printable

PlainData: TypeAlias = Any  # what YAML and JSON hold: None, bool, int, float, str, and lists and dicts of these
KeyPath = tuple[str | int, ...]  # keys of mappings and positions in lists, from the top of the file

_LONGEST_SHOWN = 60  # characters of a value that are printed before it is cut
_CLOSE = 0.65  # difflib's ratio from which a spelling counts as a slip: "batch" finds "batch_size", "data" does not
_FAIRLY_CLOSE = 0.5


@dataclass(frozen=True)
class Problem:
    """One mistake. ``where`` is "configs/mine.yaml:14" or "--set training.epochs=x"; ``key`` is dotted, or empty."""

    where: str
    key: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.key, self.message) if part)


class ExperimentError(ImgclfError):
    """Every mistake that was found in one experiment, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def lines(self) -> list[str]:
        return [f"error: {problem}" for problem in self.problems]


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that ``word`` is most likely a slip of (case, hyphens, a few letters), or None."""
    return next(iter(_close(word, allowed, 1, _CLOSE)), None)


def nearest_several(word: str, allowed: Iterable[str]) -> list[str]:
    """Up to three allowed words that ``word`` may stand for, the most likely first: for names that can be looked up."""
    return _close(word, allowed, 3, _FAIRLY_CLOSE)


def dotted(path: KeyPath) -> str:
    """The path as people write it: ``training.stages[0].epochs``; keys that are no plain words are quoted."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else ("." if text else "") + _key(part)
    return text


def shown(value: PlainData) -> str:
    """The value as JSON, on one line, without control characters, cut to about 60 characters."""
    text = printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 4] + " ..."


def listed(words: Iterable[str]) -> str:
    """The words quoted and separated by commas: ``"a", "b"``."""
    return ", ".join(shown(word) for word in words)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[\w-]{1,60}", key) else shown(key)


def _close(word: str, allowed: Iterable[str], count: int, cutoff: float) -> list[str]:
    by_plain_form: dict[str, str] = {}
    for candidate in allowed:
        by_plain_form.setdefault(_plain_form(candidate), candidate)
    close = difflib.get_close_matches(_plain_form(word[:100]), by_plain_form, n=count, cutoff=cutoff)
    return [by_plain_form[form] for form in close]


def _plain_form(word: str) -> str:
    return word.casefold().replace("-", "_").replace(" ", "_")
