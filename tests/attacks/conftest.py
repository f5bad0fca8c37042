"""Files that mean harm, given to the program's own commands in processes that are bounded and measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

STAGE = Path(__file__).with_name("stage.py")
MOST_MORE_BYTES = 512 * 2**20
MOST_LINE = 2_000
LIGHT = ("imgclf.cli", "imgclf.check_data", "h5py", "PIL.Image", "cv2")
HEAVY = ("imgclf.cli", "tensorflow", "imgclf.evaluate", "imgclf.predict", "h5py")


@dataclass(frozen=True)
class Outcome:
    """What came of a command: its exit status, what it printed, and the memory that it took beyond the imports."""

    status: int
    out: str
    err: str
    grown_bytes: int

    def error(self) -> str:
        """The one error line, after a check that it is one and no fault of the program."""
        errors = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, self.err
        assert len(errors[0]) <= MOST_LINE
        assert "this is a fault of imgclf" not in self.err
        return errors[0]


Attack = Callable[..., Outcome]


class Stage:
    """The process in which attacks are run, started when it is first needed."""

    def __init__(self, modules: tuple[str, ...]) -> None:
        self._modules = modules
        self._process: subprocess.Popen[str] | None = None

    def run(self, command: dict[str, object]) -> dict[str, int]:
        if self._process is None:
            start = [sys.executable, str(STAGE), *self._modules]
            self._process = subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(command), file=self._process.stdin, flush=True)
        answer: dict[str, int] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()


@pytest.fixture(scope="session")
def stages() -> Iterator[dict[str, Stage]]:
    made = {"light": Stage(LIGHT), "heavy": Stage(HEAVY)}
    yield made
    for stage in made.values():
        stage.close()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The working folder of the attacked program; what lies beside it must stay as it is."""
    (tmp_path / "work").mkdir()
    (tmp_path / "beside.txt").write_text("as it was")
    return tmp_path / "work"


@pytest.fixture
def attack(stages: dict[str, Stage], work: Path) -> Attack:
    """``attack("data", "check", config)`` runs that command in the working folder, and checks what holds always.

    It ends by itself, within memory and time; nothing beside the folder has changed; the file that an attack's code
    would write is not there; and what it printed has no control character.
    """

    def run(*arguments: object, status: int = 2) -> Outcome:
        heavy = arguments[0] in ("train", "evaluate", "predict") or arguments[:2] == ("models", "show")
        before = _beside(work)
        printed = {name: work.parent / f"printed.{name}" for name in ("out", "err")}
        environment = {
            "IMGCLF_DATA_DIR": str(work / "data"),
            "IMGCLF_RUNS_DIR": str(work / "runs"),
            "IMGCLF_CACHE_DIR": str(work / "cache"),
            "KERAS_HOME": str(work / "keras"),
            "https_proxy": "http://127.0.0.1:1",  # nothing is asked of the network
            "CUDA_VISIBLE_DEVICES": "-1",
        }
        told = stages["heavy" if heavy else "light"].run(
            {
                "folder": str(work),
                "arguments": [os.fspath(one) if isinstance(one, Path) else str(one) for one in arguments],
                "environment": environment,
                **{name: str(path) for name, path in printed.items()},
            }
        )
        out, err = (printed[name].read_text(errors="surrogateescape") for name in ("out", "err"))
        for path in printed.values():
            path.unlink()
        assert told["status"] == status, (told, out, err)
        assert told["grown_bytes"] <= MOST_MORE_BYTES, f"{told['grown_bytes'] / 2**20:.0f} MB; {err}"
        assert all(character.isprintable() or character == "\n" for character in out + err), (out, err)
        assert _beside(work) == before
        assert not list(work.rglob("pwned*"))
        return Outcome(told["status"], out, err, told["grown_bytes"])

    return run


def _beside(work: Path) -> dict[str, str]:
    files = (path for path in work.parent.rglob("*") if work not in path.parents and path.is_file())
    return {str(path): path.read_text(errors="replace") for path in files if not path.name.startswith("printed.")}
