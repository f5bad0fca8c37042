"""What an augmentation is to the training loop, and where its random numbers come from."""

from __future__ import annotations

from abc import abstractmethod
from functools import reduce
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from imgclf.augmentation.geometry import Fill, Mode, compose, resample
from imgclf.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf
    from numpy.typing import NDArray

STREAM = 2**32  # above every seed: the order of the images draws from the streams below

NOTHING = Fill("nearest", 0.0)  # where no pixel comes in from outside

PixelValue = Annotated[float, Field(ge=0, le=255)]
FillMode = Annotated[
    Mode,
    Field(
        description="What comes in from outside: `nearest` the pixels at the edge, `constant` fill_value, `reflect` "
        "the image mirrored at its edge, `wrap` the image again."
    ),
]
FillValue = Annotated[PixelValue, Field(description="Value of the pixels that come in with `constant`, 0 to 255.")]


class AugmentationSettings(Settings):
    """An entry of the list ``augmentation``.

    ``numbers`` says how many random numbers in [0, 1) each image needs; where they are ``constant``, an image has those
    of the first epoch in every epoch.
    """

    numbers: ClassVar[int]
    constant: ClassVar[bool] = False

    @abstractmethod
    def apply(self, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """Augmented images: (batch, height, width, channels), same shape and type; ``numbers``: (batch, numbers)."""

    def drawn(self, numbers: NDArray[np.float32], epoch: int) -> NDArray[np.float32]:  # noqa: ARG002
        """What ``apply`` gets in place of numbers uniform in [0, 1), made of them on the host: same shape."""
        return numbers


class GeometricSettings(AugmentationSettings):
    """An augmentation that moves pixels; neighbours in the list that fill alike are applied as one."""

    @abstractmethod
    def matrices(self, numbers: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Where each image is read, float32 (batch, 3, 3): see ``geometry``."""

    def fill(self) -> Fill | None:
        """How the outside is filled; None where nothing comes in from there."""
        return None

    def apply(self, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        height, width = images.shape[1:3]
        return resample(images, self.matrices(numbers, height, width), self.fill() or NOTHING)


class MixingSettings(AugmentationSettings):
    """An augmentation that mixes each image and its label with those of its partner: the next image of the batch.

    The batch that ``apply`` gets is one image longer than its result: the last one is there as a partner alone.
    """

    @abstractmethod
    def own(self, numbers: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """The share of its own label that each image keeps: float32 (batch,), in [0, 1]."""


class Draws:
    """The random numbers of every image in every epoch: a function of (seed, epoch, image) and of nothing else.

    One counter-based stream (numpy's Philox) a (seed, epoch), read at the image's place: so a batch can be made again,
    and neither the order of the images nor the number of threads or devices changes what an image gets.
    """

    def __init__(self, augmentations: tuple[AugmentationSettings, ...], images: int, seed: int) -> None:
        import numpy as np

        self.width = sum(augmentation.numbers for augmentation in augmentations)
        self._columns, self._images, self._seed = _columns(augmentations), images, seed
        self._epoch, self._numbers = -1, np.empty((0, 0), np.float32)

    def take(self, epoch: int, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Each augmentation's numbers, in order: float32 (len(indices), width)."""
        if epoch != self._epoch:
            self._numbers, self._epoch = self._uniform(epoch), epoch
            constant = [part for one, part in self._columns if one.constant]
            first = self._uniform(0) if constant else self._numbers
            for part in constant:
                self._numbers[:, part] = first[:, part]
        taken: NDArray[np.float32] = self._numbers[indices]
        for augmentation, part in self._columns:
            taken[:, part] = augmentation.drawn(taken[:, part], epoch)
        return taken

    def _uniform(self, epoch: int) -> NDArray[np.float32]:
        import numpy as np

        stream = np.random.Generator(np.random.Philox(key=[STREAM + self._seed, epoch]))
        return stream.random((self._images, self.width), np.float32)


def augment(augmentations: tuple[AugmentationSettings, ...], images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """The images after every augmentation of the list, in its order; each takes its own columns of ``numbers``.

    Where the list ``mixes``, the batch ends with a partner for its last image, which is not in the result.
    """
    for group in _groups(augmentations):
        if len(group) > 1:
            images = _apply_as_one(group, images, numbers)
            continue
        augmentation, part = group[0]
        images = augmentation.apply(images, numbers[:, part])
        if isinstance(augmentation, MixingSettings):
            numbers = numbers[:-1]
    return images


def mixes(augmentations: tuple[AugmentationSettings, ...]) -> bool:
    """Whether images get partners, and labels shares."""
    return any(isinstance(one, MixingSettings) for one in augmentations)


def own_shares(
    augmentations: tuple[AugmentationSettings, ...], numbers: tf.Tensor, height: int, width: int
) -> tf.Tensor:
    """The share of its own label that each image keeps in a list that ``mixes``: float32 (batch,).

    ``numbers``: (batch + 1, width), as for ``augment``.
    """
    (mixing, part), *_ = [entry for entry in _columns(augmentations) if isinstance(entry[0], MixingSettings)]
    assert isinstance(mixing, MixingSettings)
    return mixing.own(numbers[:-1, part], height, width)


def augmented_images(
    augmentations: tuple[AugmentationSettings, ...],
    images: NDArray[np.uint8],
    indices: NDArray[np.int64],
    seed: int,
    epoch: int,
) -> NDArray[np.uint8]:
    """What training with ``seed`` sees of these images in an epoch: uint8 (batch, height, width, channels).

    ``indices`` are the images' positions in the training split. They are taken as one batch: where the list mixes, the
    partner of each is the next, and of the last the first.
    """
    import numpy as np
    import tensorflow as tf

    numbers = Draws(augmentations, int(indices.max()) + 1, seed).take(epoch, indices)
    if mixes(augmentations):
        images, numbers = (np.concatenate([array, array[:1]]) for array in (images, numbers))
    result: NDArray[np.uint8] = augment(augmentations, tf.constant(images), tf.constant(numbers)).numpy()
    return result


Columns = list[tuple[AugmentationSettings, slice]]


def _columns(augmentations: tuple[AugmentationSettings, ...]) -> Columns:
    """Each augmentation with its columns of the numbers."""
    ends = list(accumulate((one.numbers for one in augmentations), initial=0))
    return [(one, slice(first, last)) for one, first, last in zip(augmentations, ends, ends[1:], strict=False)]


def _groups(augmentations: tuple[AugmentationSettings, ...]) -> list[Columns]:
    """The augmentations in order; neighbours that one resampling can do stand in one group."""
    groups: list[Columns] = []
    for entry in _columns(augmentations):
        together = [*groups[-1], entry] if groups else [entry]
        moving = all(isinstance(one, GeometricSettings) for one, _ in together)
        if groups and moving and len(_fills(together)) < 2:
            groups[-1] = together
        else:
            groups.append([entry])
    return groups


def _fills(group: Columns) -> set[Fill]:
    fills = {one.fill() for one, _ in group if isinstance(one, GeometricSettings)}
    return {fill for fill in fills if fill is not None}


def _apply_as_one(group: Columns, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    height, width = images.shape[1:3]
    matrices = [
        one.matrices(numbers[:, part], height, width) for one, part in group if isinstance(one, GeometricSettings)
    ]
    return resample(images, reduce(compose, matrices), next(iter(_fills(group)), NOTHING))
