from __future__ import annotations

import importlib.util
import re
from pathlib import Path

HERE = Path(__file__).parent


def attacks_of(path: Path) -> list[str]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.ATTACKS)


def test_security_md_says_how_many_attacks_are_tried() -> None:
    files = [path for path in HERE.glob("test_*.py") if path.name != Path(__file__).name]
    total = sum(len(attacks_of(path)) for path in files)
    told = (HERE.parents[1] / "SECURITY.md").read_text(encoding="utf-8")
    assert re.findall(r"([\d,]+) attacks", told) == [f"{total:,}"]
