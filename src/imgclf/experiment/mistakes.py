"""What pydantic finds wrong in the data, and what can still be judged once that is taken out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from imgclf.experiment.places import Place, Places
from imgclf.experiment.problems import KeyPath, PlainData, nearest
from imgclf.settings import Misfit, Misfits

NO_VALUE = object()


@dataclass(frozen=True)
class Mistake:
    """One error of pydantic's; where a validator of ours raised several misfits, one of them."""

    place: Place
    error: Any  # pydantic's ErrorDetails: type, loc, msg, input, ctx
    misfit: Misfit | None = None

    @property
    def path(self) -> KeyPath:
        return self.place.path + (self.misfit.path if self.misfit else ())

    @property
    def rests_on(self) -> list[KeyPath]:
        """The paths of the values without which it would not be there."""
        return [self.path, *(self.place.path + other for other in (self.misfit.others if self.misfit else ()))]

    @property
    def is_of_key(self) -> bool:
        """Whether it is that of a key that people choose, not that of its value."""
        return bool(self.error["loc"][-1:] == ("[key]",))

    @property
    def is_raised(self) -> bool:
        """Whether a validator raised it, after all values below it were found right."""
        return self.error["type"] in ("value_error", "assertion_error")


def mistakes_of(error: ValidationError, places: Places) -> list[Mistake]:
    """Every mistake that pydantic reports, at its place."""
    found = []
    for entry in error.errors(include_url=False):
        place, raised = places.find(entry["loc"]), entry.get("ctx", {}).get("error")
        if isinstance(raised, Misfits):
            found += [Mistake(place, entry, misfit) for misfit in raised.problems]
        elif not _is_counted_wrong(entry):
            found.append(Mistake(place, entry, raised if isinstance(raised, Misfit) else None))
    return found


def settle_branches(mistakes: list[Mistake]) -> list[Mistake]:
    """Where a key takes several types: only the mistakes of the type that the value was most likely meant to be.

    That is a type whose outer form fits (a list where a list is one of the types), with the fewest mistakes inside.
    Where no form fits, all stay, for one message that names all types.
    """
    for crossing in sorted({path for mistake in mistakes for path, _ in mistake.place.branches}, key=len):
        by_label: dict[str, list[Mistake]] = {}
        for mistake in mistakes:
            if label := dict(mistake.place.branches).get(crossing):
                by_label.setdefault(label, []).append(mistake)
        fitting = [
            label for label, same in by_label.items() if all(len(one.place.path) > len(crossing) for one in same)
        ]
        if fitting:
            kept = min(fitting, key=lambda label: len(by_label[label]))
            mistakes = [one for one in mistakes if dict(one.place.branches).get(crossing, kept) == kept]
    return mistakes


@dataclass
class Remains:
    """The data without what was found wrong in it, so that the validators which compare keys can still run."""

    data: dict[str, Any]
    taken: list[KeyPath] = field(default_factory=list)

    def news(self, mistakes: list[Mistake]) -> list[Mistake]:
        """Those of the mistakes that do not come of what was taken out."""
        return [one for one in mistakes if not any(_touch(path, gone) for path in one.rests_on for gone in self.taken)]

    def take_out(self, mistakes: list[Mistake]) -> bool:
        """Take out what the mistakes are about, so that defaults stand there; False where the rest can tell no more.

        That is where nothing is left to take out, or where the model's last validator has spoken.
        """
        now: list[KeyPath] = []
        for mistake in mistakes:
            if mistake.is_raised and not mistake.place.path:
                return False
            path = mistake.path[:-1] if mistake.error["type"] == "missing" else mistake.path
            if any(path[: len(gone)] == gone for gone in now):
                continue
            path = self._standing(path)
            if not path:
                continue
            del value_at(self.data, path[:-1])[path[-1]]
            now.append(path)
            self.taken += _meant(mistake) if mistake.error["type"] == "extra_forbidden" else [path]
        return bool(now)

    def _standing(self, path: KeyPath) -> KeyPath:
        """The nearest key of a mapping at or above ``path`` that stands in the data: lists go as a whole."""
        while path and (isinstance(path[-1], int) or value_at(self.data, path) is NO_VALUE):
            path = path[:-1]
        return path


def value_at(data: PlainData, path: KeyPath) -> PlainData:
    """The value at ``path``; NO_VALUE where nothing stands there."""
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return NO_VALUE
    return data


def _meant(unknown: Mistake) -> list[KeyPath]:
    """The key that an unknown one is most likely a slip of, and whose value is unknown therefore."""
    *above, key = unknown.path
    meant = nearest(str(key), unknown.place.keys)
    return [(*above, meant)] if meant else []


def _touch(one: KeyPath, other: KeyPath) -> bool:
    """Whether one of the paths is the other or lies above it."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _is_counted_wrong(error: PlainData) -> bool:
    """Whether a list is called too short only because its wrong entries, reported anyway, were not counted."""
    return bool(error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"])
