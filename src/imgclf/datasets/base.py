"""What a data set is to the rest of the program: splits of pixels and labels, and the settings that load them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import Field

from imgclf.images.fit import AS_THEY_ARE, ImageFit
from imgclf.settings import Count, ImageShape, Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Pixels(Protocol):
    """Images that are taken by index; where they lie (memory, a memory map, files) is their own business."""

    @property
    def image_shape(self) -> ImageShape: ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8; float32 where people's own arrays hold fractions. The values are 0 to 255 either way."""

    def __len__(self) -> int: ...

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Images (len(indices), height, width, channels) of ``dtype``, in the order asked for."""


@runtime_checkable
class Named(Protocol):
    """What pixels have besides, whose images come from a file each."""

    def name_of(self, index: int) -> str | None:
        """The file behind an image, as the user knows it; None where an image has no file of its own."""


def file_behind(pixels: Pixels, index: int) -> str | None:
    """The file behind an image, or None where the pixels name none."""
    return pixels.name_of(int(index)) if isinstance(pixels, Named) else None


@runtime_checkable
class Stored(Protocol):
    """What pixels have besides, whose images lie in arrays, or in other pixels that may do so."""

    def arrays(self) -> Iterable[NDArray[Any]]:
        """The arrays, in memory or mapped from files."""


def arrays_behind(pixels: object) -> Iterable[NDArray[Any]]:
    """The arrays in which the images of pixels, or the rows of a file, lie; none where they are read when taken."""
    return pixels.arrays() if isinstance(pixels, Stored) else ()


@dataclass(frozen=True)
class ArrayPixels:
    """Images of one uint8 array (images, height, width, channels), in memory or mapped from a file."""

    array: NDArray[np.uint8]

    @property
    def image_shape(self) -> ImageShape:
        height, width, channels = self.array.shape[1:]
        return height, width, channels

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    def __len__(self) -> int:
        return len(self.array)

    def take(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        return self.array.take(indices, axis=0)

    def arrays(self) -> Iterable[NDArray[Any]]:
        return (self.array,)


@dataclass(frozen=True)
class SelectedPixels:
    """Some images of other pixels, by position: a split costs its indices, not a copy of its images."""

    pixels: Pixels
    positions: NDArray[np.int64]

    @property
    def image_shape(self) -> ImageShape:
        return self.pixels.image_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.pixels.dtype

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        return self.pixels.take(self.positions[indices])

    def name_of(self, index: int) -> str | None:
        return file_behind(self.pixels, int(self.positions[index]))

    def arrays(self) -> Iterable[NDArray[Any]]:
        return arrays_behind(self.pixels)


@dataclass(frozen=True)
class Target:
    """One thing that is predicted of an image: its name, and its classes in the order of their labels."""

    name: str
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """Images and their labels: int32 (images, targets), each from 0 to the target's number of classes - 1."""

    pixels: Pixels
    labels: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True)
class Quarantined:
    """What is left out of a data set, and why, without its name: a file that cannot be read, or one without a label."""

    file: Path
    reason: str
    kind: Literal["file", "label"] = "file"


@dataclass(frozen=True)
class Splits:
    """A loaded data set. The test split is read when ``load_test`` is called: once, after training.

    ``validation`` is None where ``validation_size`` is 0. ``fingerprint`` is the SHA-256 of the training and
    validation images and labels as they stand in the files; ``test_digest`` is that of the test split, where it is
    known without reading its images. ``notes`` are lines for the user: where the data was found. ``quarantine`` holds
    the files of all splits that could not be read, of so many ``files``, and those without a label.
    """

    train: Split
    validation: Split | None
    load_test: Callable[[], Split]
    test_images: int
    targets: tuple[Target, ...]
    fingerprint: str
    notes: tuple[str, ...]
    quarantine: tuple[Quarantined, ...] = ()
    test_digest: str | None = None
    files: int = 0

    def unreadable(self) -> tuple[Quarantined, ...]:
        """The files that could not be read."""
        return tuple(one for one in self.quarantine if one.kind == "file")

    def unlabelled(self) -> tuple[Quarantined, ...]:
        """What is left out for want of a label or a file's name."""
        return tuple(one for one in self.quarantine if one.kind == "label")

    def left_out(self) -> list[tuple[str, Quarantined]]:
        """For the user: how many of each kind are left out, such as "2 unreadable files are", and the first of them."""
        kinds = [(self.unreadable(), "unreadable file", ""), (self.unlabelled(), "image", " without a label")]
        return [
            (f"{len(one):,} {noun}{'' if len(one) == 1 else 's'}{which} {'is' if len(one) == 1 else 'are'}", one[0])
            for one, noun, which in kinds
            if one
        ]


@dataclass(frozen=True)
class DataPlaces:
    """Where data may lie on this machine, how image files become pixels, and how to tell the user what is going on.

    ``report_progress(what, done, total)`` is called during downloads with byte counts, while image files are decoded
    with counts of files. ``fit`` is what the experiment wants of images of several sizes. Decoded files are kept in
    ``cache_dir``; None: they are not kept.
    """

    data_dir: Path
    report_progress: Callable[[str, int, int], None] = lambda _what, _done, _total: None
    fit: ImageFit = AS_THEY_ARE
    cache_dir: Path | None = None


class Publication(Protocol):
    """What the settings of a data set have as ``publication`` where `imgclf data download` fetches it."""

    @property
    def by_class(self) -> bool:
        """Whether classes are named, and fetched one by one."""

    def fetch(self, places: DataPlaces, classes: Sequence[str], say: Callable[[str], None]) -> None:
        """Put what is missing into the data folder, and say where it lies. Raises ImgclfError where it can't be had."""

    def find(self, data_dir: Path) -> str | None:
        """Where it lies on this machine, in one line; None: nowhere. Raises ImgclfError where only a part is there."""


class DatasetSettings(Settings):
    """The section ``dataset``: the keys that every data set has."""

    publication: ClassVar[Publication | None] = None

    validation_size: Annotated[int, Field(ge=0)] | Annotated[float, Field(gt=0, lt=1)] = Field(
        0.1,
        description="How much of the training data is set aside for validation, stratified, by seed: a count of images "
        "or a fraction. 0: no validation.",
    )
    limit_per_class: Count | None = Field(
        None,
        description="For quick tries: at most so many images of each class in the training data (validation included), "
        "and as many in the test data. null: all.",
    )

    def known_shape(self) -> ImageShape | None:
        """The images' height, width and channels where they are known before any file is read."""
        return None

    def known_targets(self) -> tuple[Target, ...] | None:
        """The targets where they are known before any file is read."""
        return None

    def target_names(self) -> tuple[str, ...]:
        """The targets' names, which are known before any file is read where their classes are not."""
        return tuple(target.name for target in self.known_targets() or ()) or ("label",)

    def may_bring_validation(self) -> bool:
        """Whether the data may hold validation images of its own, whatever ``validation_size`` says."""
        return False

    def tolerant(self) -> DatasetSettings:
        """The same data set, to be looked at: however many of its files are unreadable, they are listed."""
        return self

    def refuses(self, unreadable: int, files: int) -> bool:  # noqa: ARG002 (data sets of one file have no limit)
        """Whether no run starts where so many of the files are unreadable."""
        return False

    @abstractmethod
    def load(self, places: DataPlaces, seed: int) -> Splits:
        """Read the training data, set validation aside by ``seed``, and make sure that the test data is there.

        Raises ImgclfError where files are missing or are not what they should be.
        """
