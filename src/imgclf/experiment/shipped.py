"""The configs that travel with the program."""

from __future__ import annotations

import re
from pathlib import Path

from imgclf.errors import ImgclfError
from imgclf.experiment.problems import nearest_several


def configs_folder() -> Path:
    """The folder of the shipped configs: inside the installed package, or at the root of a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "configs"
    return installed if installed.is_dir() else package.parents[1] / "configs"


def shipped_configs() -> list[Path]:
    """Every shipped config, by name."""
    return sorted(configs_folder().glob("*.yaml"))


def find_config(config: str) -> Path:
    """The file that CONFIG names: a path, or the name of a shipped config.

    Raises ImgclfError with the nearest names where there is neither.
    """
    path = Path(config)
    try:
        if path.is_file():
            return path
    except OSError as error:
        raise ImgclfError(f"{config}: cannot be read: {error.strerror or error}") from error
    shipped = {file.stem: file for file in shipped_configs()}
    name = path.stem if path.suffix in (".yaml", ".yml") else config
    if path.name == config and name in shipped:
        return shipped[name]
    near = nearest_several(Path(name).name, shipped)
    kind = "a folder" if path.is_dir() else "no such file, and no shipped config has this name"
    hint = f"did you mean {' or '.join(near)}?" if near else "`imgclf config list` shows the shipped configs"
    raise ImgclfError(f"{config}: {kind}", hint=hint)


def summary(config: Path) -> str:
    """What a config shows: the first sentence of the comment at its top, without the line that names the schema."""
    lines = []
    for line in config.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# yaml-language-server:"):
            lines.append(line.lstrip("# "))
    text = " ".join(lines)
    sentence = re.match(r".*?[.!?](?=\s|$)", text)
    return sentence[0] if sentence else text
