from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from imgclf.datasets.cache.entries import NotCached, clear, list_entries
from imgclf.datasets.cache.images import CachedImages, cached_images
from imgclf.datasets.folders.file_tree import folder_tree
from imgclf.errors import WorkFailed
from imgclf.images.fit import ImageFit

WriteImage = Callable[..., Path]
FIT = ImageFit((12, 10), 3)


@pytest.fixture
def folder(tmp_path: Path, write_image: WriteImage) -> Path:
    for number in range(40):
        write_image(tmp_path / "photos" / f"{number}.png", number)
    return tmp_path / "photos"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def ask(cache: Path, folder: Path, fit: ImageFit = FIT) -> CachedImages:
    return cached_images(cache, folder, folder_tree(folder).images, fit, lambda _what, _done, _total: None)


def entries(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "images").iterdir() if not path.name.startswith("."))


def test_the_cache_holds_what_pillow_decodes_and_its_digests(folder: Path, cache: Path) -> None:
    cached = ask(cache, folder)
    expected = np.stack([np.asarray(Image.open(folder / f"{number}.png")) for number in range(40)])
    assert np.array_equal(cached.pixels, expected)
    assert cached.verdicts.digests[7].tobytes() == hashlib.sha256((folder / "7.png").read_bytes()).digest()
    assert cached.verdicts.unreadable == {}


def test_a_second_run_maps_the_same_entry_and_decodes_nothing(folder: Path, cache: Path) -> None:
    first = ask(cache, folder)
    made = (first.folder / "pixels.npy").stat()
    second = ask(cache, folder)
    assert second.folder == first.folder
    now = (second.folder / "pixels.npy").stat()
    assert (now.st_ino, now.st_mtime_ns) == (made.st_ino, made.st_mtime_ns)
    assert "decoded once" in first.note
    assert "decoded images from" in second.note
    assert not second.pixels.flags.writeable


def _touch(folder: Path) -> None:
    os.utime(folder / "3.png", ns=(1, 1))


def _replace(folder: Path) -> None:
    shutil.copy(folder / "4.png", folder / "3.png")


def _add(folder: Path) -> None:
    shutil.copy(folder / "4.png", folder / "99.png")


def _remove(folder: Path) -> None:
    (folder / "3.png").unlink()


@pytest.mark.parametrize("change", [_touch, _replace, _add, _remove])
def test_any_change_of_the_files_makes_another_entry(folder: Path, cache: Path, change: Callable[[Path], None]) -> None:
    before = ask(cache, folder)
    change(folder)
    after = ask(cache, folder)
    assert after.folder != before.folder
    assert len(entries(cache)) == 2


@pytest.mark.parametrize("change", [{"size": (6, 5)}, {"channels": 1}, {"background": (0, 0, 0)}, {"resize": "crop"}])
def test_any_change_of_the_fit_makes_another_entry(folder: Path, cache: Path, change: dict[str, object]) -> None:
    assert ask(cache, folder).folder != ask(cache, folder, replace(FIT, **change)).folder  # type: ignore[arg-type]


def test_unreadable_files_have_their_reason_and_no_pixels(folder: Path, cache: Path) -> None:
    good = (folder / "5.png").read_bytes()
    (folder / "5.png").write_bytes(good[: len(good) // 2])
    (folder / "6.png").write_bytes(b"")
    for cached in (ask(cache, folder), ask(cache, folder)):
        assert list(cached.verdicts.unreadable) == [5, 6]
        assert cached.verdicts.unreadable[6] == "empty file"
        assert not cached.pixels[5:7].any()
        assert cached.pixels[7].any()


def _cut(entry: Path) -> None:
    os.truncate(entry / "pixels.npy", 1000)


def _zero(entry: Path) -> None:
    with (entry / "pixels.npy").open("r+b") as file:
        file.seek(128)
        file.write(bytes(12 * 10 * 3))


def _spoil_manifest(entry: Path) -> None:
    (entry / "manifest.json").write_text("{")


def _empty_manifest(entry: Path) -> None:
    (entry / "manifest.json").write_text("[]")


def _drop_digests(entry: Path) -> None:
    (entry / "digests.npy").unlink()


@pytest.mark.parametrize("damage", [_cut, _zero, _spoil_manifest, _empty_manifest, _drop_digests])
def test_a_damaged_entry_is_made_anew_and_told(folder: Path, cache: Path, damage: Callable[[Path], None]) -> None:
    whole = ask(cache, folder)
    expected = np.array(whole.pixels)
    damage(whole.folder)
    again = ask(cache, folder)
    assert "were damaged" in again.note
    assert np.array_equal(again.pixels, expected)
    assert "were damaged" not in ask(cache, folder).note


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_without_room_nothing_is_written_and_the_numbers_are_told(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 10**12 - 10**9, 10**9))
    with pytest.raises(NotCached, match=r"are needed, and 1\.1 GB are to stay free; the disk has 1\.0 GB"):
        ask(cache, folder)
    assert entries(cache) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_no_cache(folder: Path, cache: Path) -> None:
    cache.mkdir(mode=0o500)
    with pytest.raises(NotCached, match="cannot be written: Permission denied"):
        ask(cache, folder)


def test_a_file_where_the_cache_should_be_is_no_cache(folder: Path, cache: Path) -> None:
    cache.write_text("a file")
    with pytest.raises(NotCached, match="cannot be written"):
        ask(cache, folder)


def test_an_interrupted_build_leaves_nothing(folder: Path, cache: Path) -> None:
    def interrupt(_what: str, done: int, _total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_images(cache, folder, folder_tree(folder).images, FIT, interrupt)
    assert [path.name for path in (cache / "images").iterdir() if not path.name.endswith(".lock")] == []
    assert "decoded once" in ask(cache, folder).note


def test_what_a_killed_process_left_is_removed_by_the_next(folder: Path, cache: Path) -> None:
    entry = ask(cache, folder).folder
    left = entry.with_name(f".{entry.name}.abc.part")
    entry.rename(left)
    ask(cache, folder)
    assert not left.exists()


def test_a_file_that_changes_while_it_is_decoded_stops_the_run(folder: Path, cache: Path) -> None:
    files = folder_tree(folder).images
    os.utime(folder / "3.png", ns=(1, 1))
    with pytest.raises(WorkFailed, match=r"3\.png: was changed while the files were decoded"):
        cached_images(cache, folder, files, FIT, lambda _what, _done, _total: None)
    assert entries(cache) == []


@pytest.mark.slow  # two processes that import for a second each
def test_two_processes_at_once_decode_once(folder: Path, cache: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from imgclf.datasets.folders.file_tree import folder_tree\n"
        "from imgclf.datasets.cache.images import cached_images\n"
        "from imgclf.images.fit import ImageFit\n"
        "cache, folder, start = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])\n"
        "files = folder_tree(folder).images\n"
        "time.sleep(max(0, start - time.time()))\n"
        "print(cached_images(cache, folder, files, ImageFit((600, 500), 3), lambda *_: None).note)"
    )
    arguments = [sys.executable, "-c", code, str(cache), str(folder), str(time.time() + 1.0)]
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    notes = [process.communicate()[0] for process in both]
    assert sorted(note.split(",")[0].split(" from")[0] for note in notes) == ["decoded images", "decoded once"]
    assert len(entries(cache)) == 1


def test_list_tells_each_entry_and_clear_frees_them(folder: Path, cache: Path) -> None:
    assert list_entries(cache) == []
    first = ask(cache, folder)
    ask(cache, folder, replace(FIT, size=(24, 20)))
    listed = list_entries(cache)
    assert [(one.source, one.images) for one in listed] == [(str(folder), 40)] * 2
    assert {one.image_shape for one in listed} == {(12, 10, 3), (24, 20, 3)}
    _spoil_manifest(first.folder)
    assert [one.problem for one in list_entries(cache) if one.folder == first.folder] == [
        "manifest.json cannot be read"
    ]
    cleared = clear(cache)
    assert (cleared.removed, cleared.busy) == (2, ())
    assert cleared.freed_bytes > 40 * 12 * 10 * 3
    assert list_entries(cache) == []
    assert first.pixels[39].any(), "a run that has the entry open keeps its images"


def test_clear_leaves_an_entry_that_is_being_made(folder: Path, cache: Path) -> None:
    from filelock import FileLock

    entry = ask(cache, folder).folder
    with FileLock(entry.with_name(f".{entry.name}.lock")):
        cleared = clear(cache)
    assert (cleared.removed, cleared.busy) == (0, (entry,))
    assert entry.is_dir()


def test_the_manifest_is_plain_json(folder: Path, cache: Path) -> None:
    manifest = json.loads((ask(cache, folder).folder / "manifest.json").read_text())
    assert manifest["images"] == 40
    assert manifest["image_shape"] == [12, 10, 3]


def test_a_file_that_could_not_be_read_is_taken_once_it_can_be(folder: Path, cache: Path) -> None:
    path = folder / "5.png"
    good, status = path.read_bytes(), path.stat()

    def write(content: bytes) -> None:  # size and time stay, as when a file's permissions change
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    write(bytes(len(good)))
    before = ask(cache, folder)
    assert list(before.verdicts.unreadable) == [5]
    write(good)
    after = ask(cache, folder)
    assert after.folder == before.folder
    assert after.verdicts.unreadable == {}
    assert np.array_equal(after.pixels[5], np.asarray(Image.open(path)))
    assert "made anew, since 1 that could not be read before can be now" in after.note


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_taken_once_it_has_it(folder: Path, cache: Path) -> None:
    (folder / "5.png").chmod(0)
    assert ask(cache, folder).verdicts.unreadable == {5: "cannot be opened: Permission denied"}
    (folder / "5.png").chmod(0o644)
    assert ask(cache, folder).verdicts.unreadable == {}


def test_another_version_of_a_decoder_makes_another_entry(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ask(cache, folder).folder
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "99.0" if name == "simplejpeg" else version(name))
    after = ask(cache, folder).folder
    assert after != before
    assert "simplejpeg 99.0" in json.loads((after / "manifest.json").read_text())["decoders"]


def test_only_what_the_cache_writes_itself_is_no_error_of_the_run(folder: Path, cache: Path) -> None:
    def closed_pipe(_what: str, _done: int, _total: int) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        cached_images(cache, folder, folder_tree(folder).images, FIT, closed_pipe)
    assert entries(cache) == []


def test_a_full_disk_is_no_cache(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_target: int, _content: object, _offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(NotCached, match="cannot be written: No space left on device"):
        ask(cache, folder)
    assert [path.name for path in (cache / "images").iterdir() if not path.name.endswith(".lock")] == []


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o755), (0o002, 0o775), (0o077, 0o700)])
def test_who_may_read_an_entry_is_decided_by_the_umask(folder: Path, cache: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        entry = ask(cache, folder).folder
    finally:
        os.umask(before)
    assert stat.S_IMODE(entry.stat().st_mode) == mode
    for path in entry.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == mode & 0o666, path


def test_an_entry_is_read_without_the_right_to_make_it(folder: Path, cache: Path) -> None:
    from filelock import FileLock

    entry = ask(cache, folder).folder
    with FileLock(entry.with_name(f".{entry.name}.lock")):
        assert ask(cache, folder).folder == entry


def test_what_cannot_be_removed_is_told_and_not_counted(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_path: object, **_options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    entry = ask(cache, folder).folder
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refuse)
        patched.setattr(os, "rmdir", refuse)
        cleared = clear(cache)
    assert (cleared.removed, cleared.freed_bytes, cleared.left) == (0, 0, (entry,))
    assert clear(cache).removed == 1
