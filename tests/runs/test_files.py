from __future__ import annotations

import errno
import json
import math
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from imgclf.errors import WorkFailed
from imgclf.runs.files import remove_unfinished, replacing, replacing_folder, write_json, write_whole
from imgclf.texts import csv_text


def test_text_and_bytes_are_written_and_folders_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "text.txt", "grün\n")
    write_whole(tmp_path / "a" / "bytes.bin", b"\x00\xff")
    assert (tmp_path / "a" / "b" / "text.txt").read_bytes() == "grün\n".encode()
    assert (tmp_path / "a" / "bytes.bin").read_bytes() == b"\x00\xff"


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_whole(path, "old")
    with pytest.raises(RuntimeError, match="the work failed"), replacing(path) as temporary:  # noqa: PT012
        temporary.write_text("half of the ne")
        raise RuntimeError("the work failed")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    write_whole(path, "old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == path.parent
        assert temporary.name.endswith(".weights.h5")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002], indirect=True)
def test_permissions_follow_the_umask_as_for_any_new_file(tmp_path: Path, umask: int) -> None:
    write_whole(tmp_path / "ours", "text")
    (tmp_path / "plain").write_text("text")
    ours, plain = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "plain"))
    assert ours == plain == 0o666 & ~umask
    assert os.umask(umask) == umask  # it was left as it was


def test_json_is_readable_and_refuses_what_json_lacks(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"name": "Äpfel", "accuracy": 0.1 + 0.2})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "Äpfel", "accuracy": 0.30000000000000004}
    assert "Äpfel" in path.read_text(encoding="utf-8")
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(path, {"loss": value})
    assert "Äpfel" in path.read_text(encoding="utf-8")


def test_json_keeps_what_steers_a_terminal_but_does_not_show_it(tmp_path: Path) -> None:
    name = '\x1b[2J \x7f\x9b31m\u202e\U000e0001 "\n\\'
    write_json(tmp_path / "run.json", {name: name})
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    assert json.loads(text) == {name: name}
    assert all(character.isprintable() for character in text.replace("\n", ""))


def test_bytes_of_file_names_that_are_no_utf8_are_escaped(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xc3\xa9\\\xff.jpg")
    told = b"caf\xc3\xa9\\\xff.jpg".decode("utf-8", "backslashreplace")
    write_json(tmp_path / "run.json", {name: [name, 1, None]})
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8")) == {told: [told, 1, None]}
    write_whole(tmp_path / "text.txt", name)
    assert (tmp_path / "text.txt").read_text(encoding="utf-8") == told
    assert csv_text(["file"], [[name]]) == f"file\n{told}\n"


def test_a_folder_appears_whole_and_open_to_the_readers_that_the_mask_allows(tmp_path: Path) -> None:
    path = tmp_path / "new" / "model"
    with replacing_folder(path) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "file").write_text("whole")
        assert not path.exists()
    assert (path / "inner" / "file").read_text() == "whole"
    os.umask(mask := os.umask(0o022))
    assert stat.S_IMODE(path.stat().st_mode) == 0o777 & ~mask
    assert [entry.name for entry in path.parent.iterdir()] == ["model"]


def test_an_error_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the work failed"), replacing_folder(tmp_path / "model") as temporary:  # noqa: PT012
        (temporary / "half").write_text("of it")
        raise RuntimeError("the work failed")
    assert list(tmp_path.iterdir()) == []


WRITE_AND_WAIT = """
import sys
from pathlib import Path
from imgclf.runs.files import replacing, replacing_folder
folder = Path(sys.argv[1])
with replacing(folder / "report.json") as file, replacing_folder(folder / "model") as model:
    file.write_text("half")
    (model / "weights").write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_what_a_process_writes_stays_until_it_is_killed_and_what_others_left_stays_for_ever(tmp_path: Path) -> None:
    others = {".report.json.swp", ".abcdefgh.txt", ".nfs0000000000a1b2c3", ".imgclf-notes"}
    for name in others:
        (tmp_path / name).write_text("another program's")
    command = [sys.executable, "-c", WRITE_AND_WAIT, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        remove_unfinished(tmp_path)
        written = {path.name for path in tmp_path.iterdir()} - others
        assert {name.rpartition(".")[2] for name in written} == {"json", "model"}
        writer.kill()
    remove_unfinished(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == others


@pytest.mark.parametrize("place", [replacing, replacing_folder])
def test_an_error_of_something_else_than_the_target_is_not_told_as_one_of_the_target(
    tmp_path: Path, place: Callable[[Path], AbstractContextManager[Path]]
) -> None:
    image = tmp_path / "image.png"
    with pytest.raises(FileNotFoundError) as raised, place(tmp_path / "features"):
        image.read_bytes()
    assert raised.value.filename == str(image)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", [replacing, replacing_folder])
def test_an_error_of_the_target_is_told_with_its_name(
    tmp_path: Path, place: Callable[[Path], AbstractContextManager[Path]]
) -> None:
    for error in (OSError(errno.EIO, "broken"), OSError(errno.ENOSPC, "full", "/elsewhere", None, "/dev/full")):
        with (
            pytest.raises(WorkFailed, match=f"features: can't be written: {error.strerror}"),
            place(tmp_path / "features"),
        ):
            raise error
    with pytest.raises(WorkFailed, match="features: can't be written"), place(tmp_path / "features") as temporary:
        (temporary / "inner" / "file").write_text("")
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkFailed, match="can't be written"), place(tmp_path / "file" / "features"):
        pass
