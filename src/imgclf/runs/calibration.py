"""calibration.json: the temperatures that scale the outputs of a run's weights, and what they were fitted on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from imgclf.errors import ImgclfError
from imgclf.runs.files import sha256_of, write_json
from imgclf.runs.folder import read_json
from imgclf.texts import command_text


@dataclass(frozen=True)
class Calibration:
    """What was fitted for one weights file: by target its temperature, with loss and calibration error on ``split``.

    ``weights`` is the file's name and ``weights_sha256`` its content's SHA-256: other weights need other temperatures.
    """

    weights: str
    weights_sha256: str
    split: str
    num_images: int
    targets: Mapping[str, Mapping[str, float]]

    @property
    def temperatures(self) -> dict[str, float]:
        """The temperature of each target, by its name."""
        return {name: one["temperature"] for name, one in self.targets.items()}

    def is_of(self, weights: Path) -> bool:
        """Whether it was fitted for the weights in this file, whatever the file is called."""
        return sha256_of(weights) == self.weights_sha256

    def write(self, path: Path) -> None:
        """Write calibration.json, whole or not at all."""
        write_json(path, asdict(self))


def read_calibration(path: Path, targets: tuple[str, ...]) -> Calibration | None:
    """The calibration in a file, of some or all of these targets; None where there is no such file.

    Raises ImgclfError where the file holds anything else.
    """
    if not path.is_file():
        return None
    anew = f"`{command_text('evaluate', path.parent, '--calibrate')}` writes it anew"
    try:
        content = read_json(path)
    except ImgclfError as error:
        raise ImgclfError(str(error), hint=anew) from error
    if message := _problem(content, targets):
        raise ImgclfError(f"{path}: {message}", hint=anew)
    return Calibration(**content)


def _problem(content: dict[str, Any], targets: tuple[str, ...]) -> str | None:
    keys = {"weights": str, "weights_sha256": str, "split": str, "num_images": int, "targets": dict}
    if content.keys() != keys.keys() or not all(isinstance(content[key], kind) for key, kind in keys.items()):
        return f"must hold {', '.join(keys)}; got {', '.join(content) or 'nothing'}"
    if not content["targets"] or not content["targets"].keys() <= set(targets):
        return f"must be of the targets {', '.join(targets)}; got {', '.join(content['targets']) or 'none'}"
    for name, one in content["targets"].items():
        temperature = one.get("temperature") if isinstance(one, dict) else None
        if not isinstance(temperature, int | float) or not 0 < temperature < math.inf:
            return f"{name}: the temperature must be a number greater than 0; got {temperature}"
    return None
