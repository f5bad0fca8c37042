"""The data of an experiment file together with the place of every key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from imgclf.errors import printable
from imgclf.experiment.problems import KeyPath, PlainData


@dataclass(frozen=True)
class Document:
    """The data of one file, and where each key stands.

    ``origins`` names what put a value there that does not stand in the file ("--set training.epochs=3").
    """

    data: dict[str, PlainData]
    source: str
    lines: Mapping[KeyPath, int]
    origins: Mapping[KeyPath, str] = field(default_factory=dict)

    def line(self, path: KeyPath) -> int:
        """The line (from 1) of the key at ``path``, or of its nearest ancestor that stands in the file."""
        return next((self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines), 1)

    def origin(self, path: KeyPath) -> int | str:
        """The line, or the origin, of the value at ``path`` or of its nearest ancestor."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.origins:
                return self.origins[path[:end]]
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return 1

    def where(self, path: KeyPath) -> str:
        """The place of ``path`` for a message: ``configs/mine.yaml:14`` or ``--set training.epochs=3``."""
        origin = self.origin(path)
        return origin if isinstance(origin, str) else f"{printable(self.source)}:{origin}"
