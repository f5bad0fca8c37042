from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from imgclf.runs.provenance import machine, memory_bytes, peak_memory, provenance


def test_versions_are_those_that_are_installed() -> None:
    versions = provenance()["versions"]
    assert versions["python"] == platform.python_version()
    for name in ("imgclf", "tensorflow", "keras", "numpy", "scikit-learn", "h5py", "opencv-python", "pillow"):
        assert versions[name] == metadata.version(name)


def test_it_can_be_written_as_json() -> None:
    assert json.loads(json.dumps(provenance())) == provenance()


def test_the_machine_has_a_name_and_cores() -> None:
    described = machine()
    assert described["processor"]
    assert described["cores"] == os.cpu_count()
    assert described["system"].startswith(platform.system())


@pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc")
@pytest.mark.parametrize(("limit", "most"), [("max\n", None), ("1073741824\n", 2**30)])
def test_memory_is_the_machines_or_the_containers_if_that_is_less(
    limit: str, most: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.max").write_text(limit)
    monkeypatch.setattr("imgclf.runs.provenance.CONTAINER_LIMITS", (tmp_path / "memory.max", tmp_path / "none"))
    total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024  # MemTotal is its first row, in kB
    assert memory_bytes() == (most or total)


def test_variables_that_change_bits_are_recorded_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("TF_CONFIG", "holds the names of machines")
    monkeypatch.setenv("API_TOKEN", "secret")
    environment = provenance()["environment"]
    assert environment["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert environment["OMP_NUM_THREADS"] == "3"
    assert environment.keys().isdisjoint({"TF_CONFIG", "API_TOKEN", "PATH", "HOME"})


def test_the_commit_is_that_of_the_checkout() -> None:
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        pytest.skip("not a checkout")
    ask = ["git", "-C", str(root), "rev-parse", "HEAD"]
    head = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    commit = provenance()["git_commit"]
    assert commit is None or commit.removesuffix("-dirty") == head


def test_peak_memory_is_in_bytes_and_never_falls() -> None:
    before = peak_memory()
    block = bytearray(64 * 2**20)
    block[::4096] = b"\1" * len(block[::4096])
    del block
    after = peak_memory()
    assert after >= before
    assert 10 * 2**20 < after < 2**40


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system tells no more than getrusage")
def test_peak_memory_is_not_that_of_the_process_that_started_this_one() -> None:
    block = bytearray(256 * 2**20)
    block[::4096] = b"\1" * len(block[::4096])
    ask = "from imgclf.runs.provenance import peak_memory; print(peak_memory())"
    told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout
    assert int(told) < len(block) / 2
