"""What a model says of the published weights that it may begin with; a job looks for the file and loads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedWeights:
    """The weights that an experiment asks for.

    ``wanted`` is what stands in the file: ``imagenet`` or a path. ``files`` are the names under which the file may lie,
    the best first. ``download`` lets Keras put it into its cache; None where nobody offers it.
    """

    network: str
    wanted: str
    files: tuple[str, ...]
    download: Callable[[], object] | None
