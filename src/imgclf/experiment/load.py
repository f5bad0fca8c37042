"""From a path or a name to a validated experiment, and back to text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from imgclf.experiment.document import Document
from imgclf.experiment.overrides import Overrides
from imgclf.experiment.problems import ExperimentError, Problem, dotted
from imgclf.experiment.schema import Experiment
from imgclf.experiment.shipped import find_config
from imgclf.experiment.validate import validate
from imgclf.experiment.yaml_scalars import kind_of
from imgclf.experiment.yaml_text import read
from imgclf.settings import Misfit


@dataclass(frozen=True)
class LoadedExperiment:
    """An experiment, the file it came from, the name that its runs bear, and the place of every key."""

    experiment: Experiment
    path: Path
    name: str
    document: Document

    def error(self, misfits: Iterable[Misfit]) -> ExperimentError:
        """Every mistake that shows only with the data or the network, at its place."""
        return ExperimentError(
            Problem(self.document.where(one.path), dotted(one.path), one.message)
            for one in sorted(misfits, key=lambda one: self.document.line(one.path))
        )


def load_experiment(config: str, overrides: Sequence[str] = ()) -> LoadedExperiment:
    """The experiment that CONFIG (a path or a shipped config's name) holds after the overrides (``KEY=VALUE``).

    Raises ExperimentError with every mistake of file and overrides, and ImgclfError where there is no such file.
    """
    path = find_config(config)
    changes = Overrides.parse(overrides)
    document = changes.apply(read(path))
    experiment = validate(document, Experiment)
    # A run's own copy is called experiment.yaml; runs that repeat it bear the name of its folder, without the time.
    name = (
        path.stem if path.name != "experiment.yaml" else re.sub(r"-\d{8}-\d{6}(-\d+)?$", "", path.resolve().parent.name)
    )
    return LoadedExperiment(experiment, path, name, document)


def experiment_text(experiment: Experiment) -> str:
    """The complete experiment as YAML; loading it gives an experiment that trains the same, with the same digest."""
    return yaml_text(experiment.complete())


def yaml_text(data: dict[str, Any]) -> str:
    """Plain data as YAML that our own reader reads back unchanged."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    """PyYAML's dumper with the two representers below."""


def _list(dumper: _Dumper, data: list[object]) -> yaml.SequenceNode:
    """Lists of plain values stand on one line."""
    plain = not any(isinstance(value, (list, dict)) for value in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=plain)


def _text(dumper: _Dumper, data: str) -> yaml.ScalarNode:
    """Texts that our scalars would take for a number are quoted; PyYAML does so by those of YAML 1.1 only."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=None if kind_of(data) == "str" else "'")


_Dumper.add_representer(list, _list)
_Dumper.add_representer(str, _text)
