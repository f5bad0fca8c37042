"""Arrays in HDF5 files: opened by name after a check of what stands there; nothing outside of the file is followed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.stored.rows import ArrayRows, Rows
from imgclf.datasets.stored.strict import DEFLATE_RATIO
from imgclf.errors import ImgclfError

if TYPE_CHECKING:
    import h5py

MOST_CHUNK_BYTES = 2**26
MOST_INFLATED_BYTES = 2**28
MOST_NAMES = 2**16
MOST_NAMES_BYTES = 2**24
_DEFLATE = 1
_PIECE_BYTES = 2**20
_FILTERS = (1, 2, 3, 32000)  # deflate, shuffle, Fletcher's checksum, LZF: others may load code from elsewhere
_ARE_WRITTEN = "`imgclf data export` writes such files; h5py's create_dataset(name, data=array) does, too."


class Hdf5Rows:
    """Rows of a data set that lies in chunks, read through HDF5 and kept in the order asked for."""

    def __init__(self, dataset: h5py.Dataset, where: str) -> None:
        self._dataset, self.where = dataset, where

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._dataset.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self._dataset.dtype
        return dtype

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Raises ImgclfError where the file's bytes are damaged."""
        if not len(indices):
            return np.empty((0, *self.shape[1:]), self.dtype)
        # HDF5 wants places that rise, each once.
        places, back = np.unique(indices, return_inverse=True)
        first, last = int(places[0]), int(places[-1])
        chosen = slice(first, last + 1) if last - first + 1 == len(places) else places
        try:
            read: NDArray[Any] = self._dataset[chosen][back]
        except (OSError, RuntimeError) as error:
            raise ImgclfError(f"{self.where}: cannot be read: {error}") from error
        return read


class Hdf5Arrays:
    """An HDF5 file, which is opened once for all of its arrays, as a context manager.

    Left by an error, it is closed. Else HDF5 closes it with the last of its rows in chunks, which are read as they are
    taken, and at once where there are none. Raises ImgclfError where it is no such file.
    """

    def __init__(self, path: Path) -> None:
        import h5py

        self._path = path
        try:
            self._file: h5py.File | None = h5py.File(path, "r")
        except OSError as error:
            raise ImgclfError(f"{path}: not an HDF5 file, or damaged: {error}", hint=_ARE_WRITTEN) from error

    def __enter__(self) -> Hdf5Arrays:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self._file is not None:
            self._file.close()
        # h5py closes a file that nobody names any more when no data set of it is left.
        self._file = None

    def rows(self, name: str) -> Rows:
        """The data set ``name``: mapped where it lies in one stretch, else read through HDF5 when it is taken.

        Raises ImgclfError for links, data in other files, types that are no numbers, filters that are not HDF5's own,
        and a declared size that the file cannot hold.
        """
        dataset, where = self._find(name), f"{self._path}: {name}"
        if dataset.dtype.kind not in "buif" or dataset.dtype.names or dataset.dtype.subdtype:
            raise ImgclfError(f"{where}: must hold numbers; got {_type_words(dataset)}")
        with _named_damage(where):
            _check_storage(dataset, where)
        offset = dataset.id.get_offset()
        if offset is None or dataset.chunks is not None:
            return Hdf5Rows(dataset, where)
        if offset + dataset.nbytes > self._path.stat().st_size:
            raise ImgclfError(f"{where}: cut short: it should end at byte {offset + dataset.nbytes:,} of the file")
        return ArrayRows(np.asarray(np.memmap(self._path, dataset.dtype, "r", offset, dataset.shape)), where)

    def names(self, name: str) -> tuple[str, ...]:
        """The texts of a data set (texts,). Raises ImgclfError where it holds anything else."""
        import h5py

        dataset, where = self._find(name), f"{self._path}: {name}"
        are_texts = h5py.check_string_dtype(dataset.dtype) is not None and len(dataset.shape) == 1
        if not are_texts or len(dataset) > MOST_NAMES or dataset.nbytes > MOST_NAMES_BYTES:
            raise ImgclfError(f"{where}: must hold texts (classes,); got {_type_words(dataset)} {dataset.shape}")
        with _named_damage(where):
            _check_storage(dataset, where)
            return tuple(_texts(dataset, where))

    def _find(self, name: str) -> h5py.Dataset:
        """The data set, by hard links alone."""
        import h5py

        path, place = self._path, self._file
        assert place is not None
        for part in (parts := [part for part in name.split("/") if part]):
            known = list(place) if isinstance(place, h5py.Group) else []
            if part not in known:
                raise ImgclfError(
                    f"{path}: holds no data set {name!r}; {place.name} holds {', '.join(known) or 'nothing'}"
                )
            if not isinstance(place.get(part, getlink=True), h5py.HardLink):
                raise ImgclfError(f"{path}: {name}: is a link, which is not followed")
            place = place[part]
        if not parts or not isinstance(place, h5py.Dataset):
            holds = f", but a group that holds {', '.join(place)}" if isinstance(place, h5py.Group) else ""
            raise ImgclfError(f"{path}: {name!r} is no data set{holds}")
        if place.shape is None:
            raise ImgclfError(f"{path}: {name}: holds nothing: it was written without a shape", hint=_ARE_WRITTEN)
        return place


@contextmanager
def _named_damage(where: str) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        raise ImgclfError(f"{where}: cannot be read: {error}") from error


def _check_storage(dataset: h5py.Dataset, where: str) -> None:
    created = dataset.id.get_create_plist()
    if dataset.is_virtual or created.get_external_count():
        raise ImgclfError(f"{where}: its data lie in other files, which are not read", hint=_ARE_WRITTEN)
    filters = [created.get_filter(number)[0] for number in range(created.get_nfilters())]
    if unknown := [number for number in filters if number not in _FILTERS]:
        raise ImgclfError(f"{where}: is packed by filter {unknown[0]}; only gzip, LZF, shuffle and Fletcher32 are read")
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > stored * (DEFLATE_RATIO if filters else 1):
        raise ImgclfError(
            f"{where}: declares {dataset.nbytes:,} bytes {dataset.shape}, more than its {stored:,} stored ones can hold"
        )
    if dataset.chunks is not None:
        _check_chunks(dataset, where, filters)


def _check_chunks(dataset: h5py.Dataset, where: str, filters: list[int]) -> None:
    """HDF5 inflates a chunk to whatever it holds, also to more than a chunk has; a long one is therefore tried before.

    A chunk of less than MOST_INFLATED_BYTES / DEFLATE_RATIO stored bytes (260 kB) cannot become too large.
    """
    chunk = int(np.prod(dataset.chunks, dtype=object)) * dataset.dtype.itemsize
    if chunk > MOST_CHUNK_BYTES:
        raise ImgclfError(f"{where}: has chunks of {chunk:,} bytes, too many to be read; at most {MOST_CHUNK_BYTES:,}")
    if filters.count(_DEFLATE) > 1:
        raise ImgclfError(f"{where}: is packed by gzip twice")
    long: list[tuple[int, ...]] = []
    if _DEFLATE in filters:
        dataset.id.chunk_iter(lambda one: _note_long(one, long))
    for place in long:
        if _inflates_past(dataset, place, chunk):
            raise ImgclfError(
                f"{where}: its chunk at {place} unpacks to more than the {chunk:,} bytes that it can have"
            )


def _note_long(chunk: Any, long: list[tuple[int, ...]]) -> None:
    if chunk.size > MOST_INFLATED_BYTES // DEFLATE_RATIO:
        long.append(tuple(chunk.chunk_offset))


def _inflates_past(dataset: h5py.Dataset, place: tuple[int, ...], most: int) -> bool:
    skipped, packed = dataset.id.read_direct_chunk(place)
    if skipped:  # filters are left out of this chunk: it is as long as it is
        return False
    inflater, total = zlib.decompressobj(), 0
    try:
        while packed and not inflater.eof and total <= most:
            total += len(inflater.decompress(packed, _PIECE_BYTES))
            packed = inflater.unconsumed_tail
    except zlib.error as error:
        raise OSError(f"damaged compressed data: {error}") from error
    return total > most


def _texts(dataset: h5py.Dataset, where: str) -> Iterator[str]:
    """The texts one by one: a file may name one long text many times."""
    left = MOST_NAMES_BYTES
    for number in range(len(dataset)):
        text = str(dataset.asstr()[number])
        left -= len(text)
        if left < 0:
            raise ImgclfError(f"{where}: its names are longer than {MOST_NAMES_BYTES:,} characters")
        yield text


def _type_words(dataset: h5py.Dataset) -> str:
    return "objects or texts" if dataset.dtype.kind in "OSU" else str(dataset.dtype)
