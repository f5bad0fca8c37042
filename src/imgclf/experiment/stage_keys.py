"""The stages of a run with the places in the file that their settings come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from imgclf.experiment.problems import KeyPath, dotted
from imgclf.training.settings import StageSettings, TrainingSettings


@dataclass(frozen=True)
class KeyedStage:
    """A stage of the run, complete, and its position in ``training.stages``; None where `training` itself is it."""

    settings: StageSettings
    number: int | None
    own: frozenset[str]  # keys that the stage itself has; the others come from `training`

    def path(self, key: str, *below: str) -> KeyPath:
        """Where the value of a key was written."""
        return self.places(key, *below)[0 if self.number is None or key in self.own else 1]

    def places(self, key: str, *below: str) -> tuple[KeyPath, ...]:
        """Everything in the file that decides on the value of a key."""
        plain: KeyPath = ("training", key, *below)
        if self.number is None:
            return plain, ("training", "stages")
        return ("training", "stages", self.number, key, *below), plain


def keyed_stages(training: TrainingSettings) -> Iterator[KeyedStage]:
    """The stages of the run in their order."""
    if not training.stages:
        yield KeyedStage(training.resolved_stages()[0], None, frozenset())
    for number, (written, settings) in enumerate(zip(training.stages, training.resolved_stages(), strict=False)):
        yield KeyedStage(settings, number, frozenset(written.model_fields_set))


def keys_to_change(training: TrainingSettings, number: int = -1) -> dict[str, str]:
    """The keys of a stage (by default the last) that advice names; ``length`` is that of its epochs or steps."""
    stage = list(keyed_stages(training))[number]
    paths = {
        "length": stage.path("steps" if stage.settings.steps else "epochs"),
        "learning_rate": stage.path("optimizer", "learning_rate"),
        "early_stopping": stage.path("early_stopping"),
        "clip_norm": stage.path("clip_norm"),
    }
    return {name: dotted(path) for name, path in paths.items()}
