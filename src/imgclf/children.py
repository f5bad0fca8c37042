"""Commands of this program in processes of their own, one after the other: what seeds and comparisons are made of."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import imgclf
from imgclf.errors import ImgclfError
from imgclf.runs.groups import Group
from imgclf.screen import Screen

SECONDS_TO_END = 60.0  # an interrupted run writes its record first


@dataclass(frozen=True)
class Options:
    """What holds for every child: its device, where its data lies, and whether it shows everything."""

    device: str | None = None
    data_dir: str | Path | None = None
    debug: bool = False

    def arguments(self, *, with_data: bool = True) -> list[str]:
        """The options as the command line has them."""
        device = ["--device", self.device] if self.device else []
        data = ["--data-dir", str(self.data_dir)] if self.data_dir and with_data else []
        return [*device, *data, *(["--debug"] if self.debug else [])]


DEFAULTS = Options()

# Python takes modules from the present folder first: what lies there is the user's.
_WITHOUT_PRESENT_FOLDER = """
import sys
place, sys.argv[:2] = sys.argv[1], ["imgclf"]
sys.path = [one for one in sys.path if one] + [place]
"""


def own_python(code: str, *arguments: str) -> list[str]:
    """The command by which this Python runs ``code``, which finds the program's modules and no file of the user's."""
    place = str(Path(imgclf.__file__).parents[1])
    return [sys.executable, "-c", _WITHOUT_PRESENT_FOLDER + code, place, *arguments]


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status, its standard output, and what it printed from its first error on."""

    status: int
    output: str
    errors: tuple[str, ...]

    def reason(self) -> str:
        """Why it failed, as one line."""
        first = self.errors[0].removeprefix("error: ") if self.errors else ""
        return first or f"it ended with status {self.status}"


def run_imgclf(arguments: Sequence[str], say: Callable[[str], None]) -> Ended:
    """Run ``imgclf`` with these arguments; ``say`` gets each line of progress.

    It runs in a session of its own, so that Ctrl-C reaches this process alone, which ends it and then itself.
    """
    command = own_python("from imgclf.cli import main; main()", *arguments)
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}  # whatever the user's language: we read both streams
    errors: list[str] = []
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as output,
        subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=environment,
            start_new_session=True,
        ) as process,
    ):
        try:
            _listen(process, say, errors)
        except BaseException:
            process.terminate()
            _listen(process, say, errors)
            raise
        finally:
            _end(process)
        output.seek(0)
        return Ended(process.returncode, output.read(), tuple(errors))


def train_member(
    group: Group,
    name: str,
    config: str,
    overrides: Sequence[str],
    options: Options,
    screen: Screen,
    *,
    are_alike: bool = True,
) -> Ended:
    """Train one run of a group, under this name; its lines are said with the name in front.

    Where the runs ``are_alike`` but for their seed, raises ImgclfError if the first finds the input wrong: so would the
    others.
    """
    sets = [text for override in overrides for text in ("--set", override)]
    command = ["train", config, *sets, "--name", name, "--runs-dir", str(group.path), *options.arguments()]
    ended = run_imgclf(command, lambda line: screen.say(f"{name}: {line}"))
    if are_alike and ended.status == ImgclfError.exit_status and group.is_empty():
        raise ImgclfError("\n".join(ended.errors).removeprefix("error: "))
    for line in ended.errors:
        screen.say(f"{name}: {line}")
    return ended


def _listen(process: subprocess.Popen[str], say: Callable[[str], None], errors: list[str]) -> None:
    """Pass the lines of standard error on until it is closed; from the first error on they are kept."""
    assert process.stderr is not None
    for line in process.stderr:
        if errors or line.startswith("error: "):
            errors.append(line.rstrip("\n"))
        else:
            say(line.rstrip("\n"))


def _end(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(SECONDS_TO_END)
    finally:
        process.kill()
