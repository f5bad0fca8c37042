"""The readers of files that come from anyone, each with the good files that its damaged ones are made of.

A reader is asked by the functions that the program calls. It may refuse (ImgclfError) or read; what it reads is
compared with another reader where there is a safe one.
"""

from __future__ import annotations

import contextlib
import gzip
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from fuzzing import array_files
from fuzzing.image_files import image_files

PIXEL_LIMIT = 4_000_000


@dataclass(frozen=True)
class Reader:
    """``read`` is given the path of a file; ``files`` are good ones; ``modules`` beside our own are watched, too."""

    read: Callable[[Path], None]
    files: Callable[[], dict[str, bytes]]
    modules: tuple[str, ...] = ()
    most_bytes: int = 8192


def read_idx(path: Path) -> None:
    """MNIST's files, as images and as labels."""
    from imgclf.datasets.published import idx
    from imgclf.errors import ImgclfError

    content = path.read_bytes()
    for header, whole in ((idx.read_images_shape, idx.read_images), (idx.read_labels_count, _ten_labels)):
        try:
            header(path)
            array = whole(path)
        except ImgclfError:
            if header is idx.read_labels_count:
                raise
            continue
        assert content.startswith(b"\x1f\x8b") or content.endswith(array.astype("u1").tobytes())


def _ten_labels(path: Path):  # noqa: ANN202
    from imgclf.datasets.published.idx import read_labels

    return read_labels(path, 10)


@dataclass(frozen=True)
class _OnePlace:
    """A folder of one file, whose content lies elsewhere."""

    path: Path
    content: bytes

    def names(self) -> set[str]:
        return {self.path.name}

    def contents(self, names: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
        for name in names:
            yield name, self.content


def _small_cifar():  # noqa: ANN202
    from imgclf.datasets.cifar10 import CIFAR10

    batch, binary = (array_files.BATCH,), (array_files.BINARY_BATCH,)
    return replace(CIFAR10, python_train=batch, binary_train=binary, train_images=array_files.CIFAR_IMAGES)


def _read_batch(path: Path, *, is_binary: bool) -> None:
    from imgclf.datasets.published.cifar_files import CifarFiles

    files = CifarFiles(_OnePlace(path, path.read_bytes()), _small_cifar(), is_binary)
    images, labels = files.read("train", "labels", 10)
    assert images.shape == (array_files.CIFAR_IMAGES, 32, 32, 3)
    assert set(labels.tolist()) <= set(range(10))


def read_cifar_binary(path: Path) -> None:
    """A batch of CIFAR-10's binary version."""
    _read_batch(path, is_binary=True)


def read_cifar_pickle(path: Path) -> None:
    """A python batch of CIFAR-10."""
    _read_batch(path, is_binary=False)


def read_cifar_archive(path: Path) -> None:
    """An archive of CIFAR-10. What is not compressed is compressed first, so that damage reaches the headers."""
    from imgclf.datasets.published.cifar_files import CifarFiles, look_at
    from imgclf.errors import ImgclfError

    content = path.read_bytes()
    packed = path.with_name(f"{path.name}.tar.gz")
    packed.write_bytes(content if content.startswith(b"\x1f\x8b") else gzip.compress(content, 0, mtime=0))
    found = look_at(packed, _small_cifar())
    if not isinstance(found, CifarFiles):
        raise ImgclfError(f"{packed}: {found.problem}")
    found.read("train", "labels", 10)


def read_npy(path: Path) -> None:
    """A user's array, Quick Draw's drawings, and a header of texts."""
    import numpy as np

    from imgclf.datasets.published.quickdraw_files import map_drawings
    from imgclf.datasets.stored.npy import map_npy
    from imgclf.errors import ImgclfError

    for other in (map_drawings, _read_text_header):
        with contextlib.suppress(ImgclfError):
            other(path)
    array = map_npy(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert array.tobytes() == np.load(path, allow_pickle=False).tobytes()


def _read_text_header(path: Path) -> None:
    from imgclf.datasets.stored.npy import read_npy_header

    with path.open("rb") as file:
        read_npy_header(file, str(path), kinds="US")


def read_npz(path: Path) -> None:
    """Keras' file of MNIST and a user's arrays by name."""
    from imgclf.datasets.stored.npz import read_member, read_member_shape
    from imgclf.datasets.stored.npz_rows import NpzArrays
    from imgclf.errors import ImgclfError

    reads = (
        lambda: read_member_shape(path, "x_train", 3),
        lambda: read_member(path, "x_train", 3),
        lambda: NpzArrays(path).names("class_names"),
        lambda: NpzArrays(path).rows("y_train"),
    )
    refusals = []
    for read in reads:
        try:
            read()
        except ImgclfError as error:
            refusals.append(error)
    if refusals:
        raise refusals[0]


def read_image_header(path: Path) -> None:
    """The size of a picture."""
    from imgclf.images.decode import image_info

    info = image_info(path, pixel_limit=PIXEL_LIMIT)
    assert 0 < info.width * info.height <= PIXEL_LIMIT


def read_image(path: Path) -> None:
    """A picture by all ways into the decoder: header alone, fitted to 64x64, and at full size."""
    from imgclf.images.decode import decode, image_info, read_image
    from imgclf.images.fit import ImageFit

    info = image_info(path, pixel_limit=PIXEL_LIMIT)
    fitted = read_image(path, ImageFit((64, 64), 3, "crop"), pixel_limit=PIXEL_LIMIT)
    whole = decode(path, 3, pixel_limit=PIXEL_LIMIT)
    assert (fitted.shape, whole.shape) == ((64, 64, 3), (info.height, info.width, 3))


READERS = {
    "idx": Reader(read_idx, array_files.idx_files, ("gzip",)),
    "cifar-binary": Reader(read_cifar_binary, array_files.cifar_binary_files),
    "cifar-pickle": Reader(read_cifar_pickle, array_files.cifar_pickles, ("pickletools",)),
    "cifar-archive": Reader(read_cifar_archive, array_files.cifar_archives, ("tarfile",), 2**15),
    "npy": Reader(read_npy, array_files.npy_files, ("numpy.lib._format_impl",)),
    "npz": Reader(read_npz, array_files.npz_files, ("zipfile", "numpy.lib._format_impl")),
    "image-header": Reader(read_image_header, lambda: image_files(24, 32), ("PIL",)),
    "image": Reader(read_image, lambda: image_files(120, 160), ("PIL",), 2**17),
}


def warm_up(reader: str) -> None:
    """Read the good files, so that everything is imported; what is imported later counts as the memory of a file."""
    from fuzzing.outcome import outcome_of

    with tempfile.TemporaryDirectory(prefix="imgclf-fuzz-") as folder:
        for name, content in READERS[reader].files().items():
            (Path(folder) / name).write_bytes(content)
            outcome_of(READERS[reader].read, Path(folder) / name)
