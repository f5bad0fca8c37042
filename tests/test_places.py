from __future__ import annotations

from pathlib import Path

import pytest

from imgclf.datasets.given import find_given
from imgclf.errors import ImgclfError
from imgclf.places import data_folder, runs_folder
from imgclf.texts import from_home


def test_a_tilde_is_the_users_home_and_before_another_name_it_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/of/mine")
    assert from_home("~/runs") == Path("/home/of/mine/runs")
    assert from_home("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")
    assert data_folder("~nobody-of-this-name") == runs_folder("~nobody-of-this-name") == Path("~nobody-of-this-name")


def test_a_path_of_no_users_home_is_looked_for_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ImgclfError, match="there is no folder ~nobody-of-this-name/x"):
        find_given("~nobody-of-this-name/x", tmp_path, "folder", "path")
