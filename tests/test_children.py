from __future__ import annotations

from pathlib import Path

import pytest

from imgclf.children import run_imgclf


def test_what_lies_in_the_present_folder_is_no_module_of_a_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("random", "queue", "typer", "imgclf"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the file of the user was executed')\n")
    monkeypatch.chdir(tmp_path)
    lines: list[str] = []
    ended = run_imgclf(["models", "list"], lines.append)
    assert (ended.status, ended.errors, lines) == (0, (), [])
    assert "lenet" in ended.output


def test_a_child_reads_its_arguments_as_they_are_and_its_errors_are_kept() -> None:
    ended = run_imgclf(["config", "check", "a name with spaces"], lambda _: None)
    assert ended.status == 2
    assert ended.reason().startswith("a name with spaces: ")
