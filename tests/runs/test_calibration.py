"""calibration.json: written whole, read only as what it should be, known by the weights' content."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from imgclf.errors import ImgclfError
from imgclf.runs.calibration import Calibration, read_calibration

CONTENT = b"weights" * 300_000  # more than is read in one piece


def _calibration() -> Calibration:
    targets = {"colour": {"temperature": 1.25, "loss_after": 0.5}, "shape": {"temperature": 2.0, "loss_after": 0.25}}
    return Calibration("last.weights.h5", hashlib.sha256(CONTENT).hexdigest(), "validation", 40, targets)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    assert read_calibration(path, ("colour", "shape")) is None
    _calibration().write(path)
    found = read_calibration(path, ("colour", "shape"))
    assert found == _calibration()
    assert found.temperatures == {"colour": 1.25, "shape": 2.0}
    assert [one.name for one in tmp_path.iterdir()] == ["calibration.json"]


def test_it_is_of_the_weights_whose_content_it_names_whatever_their_file_is_called(tmp_path: Path) -> None:
    same, other = tmp_path / "copy.weights.h5", tmp_path / "last.weights.h5"
    same.write_bytes(CONTENT)
    other.write_bytes(CONTENT[:-1])
    assert _calibration().is_of(same)
    assert not _calibration().is_of(other)


def test_it_may_be_of_some_of_the_targets(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    _calibration().write(path)
    found = read_calibration(path, ("size", "colour", "shape"))
    assert found is not None
    assert found.temperatures == {"colour": 1.25, "shape": 2.0}


def test_other_targets_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    _calibration().write(path)
    with pytest.raises(ImgclfError, match="must be of the targets shape; got colour, shape"):
        read_calibration(path, ("shape",))
