"""Image files decoded by threads: their pixels, a digest of each file, and the reason where one is unreadable."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import ArrayPixels
from imgclf.datasets.folders.file_tree import ImageFile
from imgclf.errors import ImgclfError, WorkFailed
from imgclf.images.decode import UnreadableImage
from imgclf.images.fit import ImageFit
from imgclf.settings import ImageShape

DIGEST_BYTES = hashlib.sha256().digest_size
LISTED = 20  # files that an error names
FILES_A_TASK = 16  # a task for each file costs a tenth of decoding a small one
TASKS_AHEAD = 4  # for each thread: bounds the memory of a million files

Result = TypeVar("Result")


@dataclass(frozen=True)
class Verdicts:
    """What came of decoding files: the SHA-256 of each file, uint8 (files, 32), and why some have no pixels.

    ``unreadable`` holds the reasons by position; the digest of such a file is zero.
    """

    digests: NDArray[np.uint8]
    unreadable: dict[int, str]


@dataclass(frozen=True)
class FilePixels(ArrayPixels):
    """Images that lie decoded in one array, and the files that they come from."""

    files: Sequence[ImageFile]

    def name_of(self, index: int) -> str:
        return str(self.files[index].path)


@dataclass(frozen=True)
class StreamedPixels:
    """Images that are decoded by threads whenever they are taken. ``fit`` has a size and channels."""

    files: Sequence[ImageFile]
    fit: ImageFit
    pool: ThreadPoolExecutor = field(default_factory=lambda: decoding_threads())

    @property
    def image_shape(self) -> ImageShape:
        return shape_of(self.fit)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self.files)

    def take(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        images = np.empty((len(indices), *self.image_shape), np.uint8)

        def decode(position: int) -> None:
            images[position] = self._read(self.files[int(indices[position])])

        list(self.pool.map(decode, range(len(indices))))
        return images

    def name_of(self, index: int) -> str:
        return str(self.files[index].path)

    def _read(self, file: ImageFile) -> NDArray[np.uint8]:
        try:
            return file.pixels(self.fit)
        except UnreadableImage as error:
            raise WorkFailed(
                f"{file.path}: could be read when the run started, and cannot now: {error.reason}"
            ) from error


def decoding_threads() -> ThreadPoolExecutor:
    """As many threads as cores. OpenCV's own would get in their way: 15 % more processor time for small photographs."""
    import cv2

    cv2.setNumThreads(1)
    return ThreadPoolExecutor(cores(), thread_name_prefix="imgclf-decode")


def cores() -> int:
    """The processor's cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shape_of(fit: ImageFit) -> ImageShape:
    """The shape of images that ``fit``, which has size and channels, makes."""
    assert fit.size is not None
    assert fit.channels is not None
    return (*fit.size, fit.channels)


def complete_fit(files: Sequence[ImageFile], fit: ImageFit, root: Path) -> ImageFit:
    """``fit`` with a size and channels: where it leaves them open, those that the files' headers tell.

    Channels are 1 where every file is grey. Unreadable files tell nothing. Raises ImgclfError, which names ``root``,
    where no file can be read, or sizes differ.
    """
    if fit.size is not None and fit.channels is not None:
        return fit
    headers = _headers(files, until_colour=fit.size is not None)
    infos = [one for one in headers if not isinstance(one, str)]
    if not infos:
        reasons = [f"{file.path}: {reason}" for file, reason in zip(files, headers, strict=True)]
        raise ImgclfError(f"{root}: none of the image files can be read: {listed(reasons)}")
    if fit.size is None:
        _check_one_size(infos, root)
    return fit.completed((infos[0][0], infos[0][1], max(info[2] for info in infos)))


def listed(texts: Sequence[str]) -> str:
    """How many there are, and a line for each of the first."""
    more = [f"and {len(texts) - LISTED:,} more"] if len(texts) > LISTED else []
    return "\n  ".join([f"{len(texts):,}:", *texts[:LISTED], *more])


def _headers(files: Sequence[ImageFile], *, until_colour: bool) -> list[ImageShape | str]:
    """Heights, widths and channels of the files, or why they cannot be read; maybe up to the first of colour."""
    found: list[ImageShape | str] = []
    step = 1 if until_colour else len(files)  # most often the first file is of colour
    while len(found) < len(files):
        found += in_threads(_header, files[len(found) : len(found) + step])
        step = 256
        if until_colour and any(not isinstance(one, str) and one[2] == 3 for one in found):
            break
    return found


def _header(file: ImageFile) -> ImageShape | str:
    try:
        info = file.info()
    except UnreadableImage as error:
        return error.reason
    return info.height, info.width, 1 if info.is_grey else 3


def _check_one_size(infos: Sequence[ImageShape], root: Path) -> None:
    sizes = Counter((height, width) for height, width, _ in infos)
    if len(sizes) > 1:
        (first, many), (second, _) = sizes.most_common(2)
        raise ImgclfError(
            f"{root}: images are of {len(sizes)} sizes, such as {many:,} of {first[0]}x{first[1]} (height x width) "
            f"and others of {second[0]}x{second[1]}",
            hint="Set preprocessing.size to the height and width that all are to be brought to.",
        )


def decode_files(
    files: Sequence[ImageFile],
    fit: ImageFit,
    write: Callable[[int, NDArray[np.uint8]], None],
    report_progress: Callable[[str, int, int], None],
) -> Verdicts:
    """Every file decoded once, handed to ``write`` with its position (by several threads at once), and digested."""
    digests = np.zeros((len(files), DIGEST_BYTES), np.uint8)
    unreadable: dict[int, str] = {}

    def decode(position: int) -> None:
        try:
            pixels, digest = files[position].pixels_and_digest(fit)
        except UnreadableImage as error:
            unreadable[position] = error.reason
            return
        write(position, np.ascontiguousarray(pixels))
        digests[position] = np.frombuffer(digest, np.uint8)

    for done, _ in enumerate(in_threads(decode, range(len(files))), 1):
        if done % FILES_A_TASK == 0 or done == len(files):
            report_progress("decoding image files", done, len(files))
    changed = next((file.path for file in files if file.has_changed()), None)
    if changed is not None:
        raise WorkFailed(f"{changed}: was changed while the files were decoded", hint="Start again.")
    return Verdicts(digests, dict(sorted(unreadable.items())))


def judge_again(files: Sequence[ImageFile], fit: ImageFit, positions: Collection[int]) -> dict[int, str]:
    """Why those of the files at ``positions`` that still cannot be read cannot, by position."""

    def reason(position: int) -> str | None:
        try:
            files[position].pixels(fit)
        except UnreadableImage as error:
            return error.reason
        return None

    places = sorted(positions)
    reasons = zip(places, in_threads(reason, places), strict=True)
    return {position: why for position, why in reasons if why is not None}


def in_threads(function: Callable[[Any], Result], items: Sequence[Any]) -> Iterator[Result]:
    """``function`` of each item, in order, computed by as many threads as cores, a bounded number of items ahead."""
    pool = decoding_threads()
    tasks: deque[Future[list[Result]]] = deque()
    try:
        for start in range(0, len(items), FILES_A_TASK):
            tasks.append(pool.submit(_each, function, items[start : start + FILES_A_TASK]))
            if len(tasks) > cores() * TASKS_AHEAD:
                yield from tasks.popleft().result()
        while tasks:
            yield from tasks.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _each(function: Callable[[Any], Result], piece: Sequence[Any]) -> list[Result]:
    return [function(item) for item in piece]
