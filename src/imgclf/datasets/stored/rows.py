"""Arrays that lie in files, taken by row, and the images and labels that they hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import arrays_behind
from imgclf.errors import ImgclfError
from imgclf.settings import ImageShape

ROWS_A_PIECE = 4096
MOST_CLASSES = 2**20
MOST_IMAGES = 2**24  # the largest public set, ImageNet-21k, has 14 million
MOST_IMAGE_BYTES = 2**27
_AS_BYTES = "Pixels of 0 to 255 belong into an array of type uint8; others are divided by their greatest value."


class Rows(Protocol):
    """An array in a file; ``where`` names both in messages."""

    @property
    def where(self) -> str: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Rows of the first axis, in the order asked for."""


class ArrayFile(Protocol):
    """A file of arrays while it is looked at, a context manager: rows that were opened in it outlive it."""

    def __enter__(self) -> ArrayFile: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None: ...

    def rows(self, name: str) -> Rows:
        """The numbers of an array. Raises ImgclfError where it holds anything else, or is not whole."""

    def names(self, name: str) -> tuple[str, ...]:
        """The texts of an array (texts,). Raises ImgclfError where it holds anything else."""


@dataclass(frozen=True)
class ArrayRows:
    """Rows of an array in memory or mapped from a file."""

    array: NDArray[Any]
    where: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        return self.array.take(indices, axis=0)

    def arrays(self) -> Iterable[NDArray[Any]]:
        return (self.array,)


@dataclass(frozen=True)
class RowPixels:
    """The images of rows: uint8 as they are; fractions, which must be from 0 to 1, as float32 times 255."""

    rows: Rows
    image_shape: ImageShape

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8 if self.rows.dtype == np.uint8 else np.float32)

    def __len__(self) -> int:
        return self.rows.shape[0]

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Raises ImgclfError where a fraction is not from 0 to 1."""
        images = self.rows.take(indices).reshape(len(indices), *self.image_shape)
        if self.dtype == np.uint8:
            return images
        if images.size and not (images.min() >= 0 and images.max() <= 1):
            found = f"got {images.min():g} to {images.max():g} in one piece"
            raise ImgclfError(f"{self.rows.where}: fractions must be from 0 to 1; {found}", hint=_AS_BYTES)
        # In the type of the file: an export writes float64, which gives back the float32 that it was made from.
        scaled: NDArray[np.float32] = (images * images.dtype.type(255)).astype(np.float32)
        return scaled

    def arrays(self) -> Iterable[NDArray[Any]]:
        return arrays_behind(self.rows)


def read_images(rows: Rows, image_shape: ImageShape | None) -> RowPixels:
    """The images of rows (images, height, width) or (images, height, width, channels), or of any rows of that size.

    ``image_shape`` is what the user says of them, or None. Raises ImgclfError where they are no images.
    """
    if rows.dtype != np.uint8 and rows.dtype.kind != "f":
        raise ImgclfError(f"{rows.where}: images must be uint8, or fractions from 0 to 1; got {rows.dtype}")
    if not rows.shape or 0 in rows.shape:
        raise ImgclfError(f"{rows.where}: holds no images; its shape is {rows.shape}")
    if rows.shape[0] > MOST_IMAGES:
        raise ImgclfError(f"{rows.where}: at most {MOST_IMAGES:,} images are read; got {rows.shape[0]:,}")
    if (size := int(np.prod(rows.shape[1:], dtype=object)) * rows.dtype.itemsize) > MOST_IMAGE_BYTES:
        raise ImgclfError(f"{rows.where}: an image has at most {MOST_IMAGE_BYTES:,} bytes; got {size:,}")
    shape = image_shape or _shape_of_images(rows)
    if np.prod(shape, dtype=object) != np.prod(rows.shape[1:], dtype=object):
        raise ImgclfError(f"{rows.where}: rows of {rows.shape[1:]} can't be images of dataset.image_shape {shape}")
    return RowPixels(rows, shape)


def read_labels(rows: Rows, images: int, classes: Sequence[int | None]) -> NDArray[np.int32]:
    """The labels (images, 1) of rows of numbers (images,) or (images, 1), or one-hot (images, classes).

    Raises ImgclfError for labels that are not whole, below 0, or not below the only one of ``classes`` where it is not
    None; and where there is not one an image. Nothing is allocated before shapes are checked.
    """
    (most,) = classes
    hot = len(rows.shape) == 2 and rows.shape[1] > 1
    if rows.dtype.kind not in "buif" or len(rows.shape) not in (1, 2) or (hot and rows.shape[1] > MOST_CLASSES):
        raise ImgclfError(
            f"{rows.where}: labels must be numbers of shape (images,), or one-hot of (images, classes); "
            f"got {rows.dtype} {rows.shape}"
        )
    _check_count(rows, images)
    if hot and most is not None and rows.shape[1] != most:
        raise ImgclfError(f"{rows.where}: one-hot labels must have {most} columns, one a class; got {rows.shape[1]}")
    labels = np.empty((images, 1), np.int32)
    for piece in pieces(images, ROWS_A_PIECE if not hot else max(1, 2**20 // rows.shape[1])):
        values = rows.take(piece)
        labels[piece, 0] = _from_one_hot(values, piece, rows) if hot else _whole(values.reshape(-1), piece, rows, most)
    return labels


def read_label_columns(rows: Rows, images: int, classes: Sequence[int | None]) -> NDArray[np.int32]:
    """The labels (images, columns) of rows of numbers of that shape, one of ``classes`` a column.

    Raises ImgclfError as ``read_labels`` does.
    """
    shape = rows.shape if len(rows.shape) > 1 else (*rows.shape, 1)
    if rows.dtype.kind not in "buif" or shape[1:] != (len(classes),):
        raise ImgclfError(
            f"{rows.where}: labels must be numbers of shape (images, {len(classes)}), as dataset.label_columns lists "
            f"them; got {rows.dtype} {rows.shape}"
        )
    _check_count(rows, images)
    labels = np.empty((images, len(classes)), np.int32)
    for piece in pieces(images):
        values = rows.take(piece).reshape(len(piece), len(classes))
        for column, most in enumerate(classes):
            labels[piece, column] = _whole(values[:, column], piece, rows, most)
    return labels


def pieces(count: int, size: int = ROWS_A_PIECE) -> Iterator[NDArray[np.int64]]:
    """The numbers from 0 to ``count`` - 1, ``size`` at a time."""
    for first in range(0, count, size):
        yield np.arange(first, min(first + size, count))


def _check_count(rows: Rows, images: int) -> None:
    if rows.shape[0] != images:
        raise ImgclfError(f"{rows.where}: must hold one label an image; got {rows.shape[0]:,} for {images:,} images")


def _shape_of_images(rows: Rows) -> ImageShape:
    if len(rows.shape) == 3:
        return rows.shape[1], rows.shape[2], 1
    if len(rows.shape) == 4 and rows.shape[3] in (1, 3):
        return rows.shape[1], rows.shape[2], rows.shape[3]
    raise ImgclfError(
        f"{rows.where}: images must be (images, height, width) or (images, height, width, 1 or 3); got {rows.shape}",
        hint="Flat rows need dataset.image_shape: [height, width, channels].",
    )


def _from_one_hot(values: NDArray[Any], piece: NDArray[np.int64], rows: Rows) -> NDArray[np.int64]:
    labels: NDArray[np.int64] = values.argmax(axis=1)
    hot = np.zeros(values.shape, bool)
    hot[np.arange(len(values)), labels] = True
    wrong = np.flatnonzero((values != hot).any(axis=1))
    if len(wrong):
        raise ImgclfError(f"{rows.where}: row {piece[wrong[0]]} (from 0) is not one-hot: one 1 and else 0")
    return labels


def _whole(values: NDArray[Any], piece: NDArray[np.int64], rows: Rows, classes: int | None) -> NDArray[np.int64]:
    most = MOST_CLASSES if classes is None else classes
    with np.errstate(invalid="ignore"):
        wrong = np.flatnonzero(~((values >= 0) & (values < most) & (values == np.floor(values))))
    if len(wrong):
        position = piece[wrong[0]]
        raise ImgclfError(
            f"{rows.where}: labels must be whole numbers from 0 to {most - 1}; "
            f"got {values[wrong[0]]} at position {position} (from 0)"
        )
    return values.astype(np.int64)
