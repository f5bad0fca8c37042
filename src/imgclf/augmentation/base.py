"""What an augmentation is to the training loop, and where its random numbers come from."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from imgclf.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf
    from numpy.typing import NDArray

STREAM = 2**32  # above every seed: the order of the images draws from the streams below


class AugmentationSettings(Settings):
    """An entry of the list ``augmentation``.

    ``numbers`` says how many random numbers in [0, 1) each image needs.
    """

    numbers: ClassVar[int]

    @abstractmethod
    def apply(self, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """Augmented images: (batch, height, width, channels), same shape and type; ``numbers``: (batch, numbers)."""


class Draws:
    """The random numbers of every image in every epoch: a function of (seed, epoch, image) and of nothing else.

    One counter-based stream (numpy's Philox) a (seed, epoch), read at the image's place: so a batch can be made again,
    and neither the order of the images nor the number of threads or devices changes what an image gets.
    """

    def __init__(self, augmentations: tuple[AugmentationSettings, ...], images: int, seed: int) -> None:
        import numpy as np

        self.width = sum(augmentation.numbers for augmentation in augmentations)
        self._images, self._seed = images, seed
        self._epoch, self._numbers = -1, np.empty((0, 0), np.float32)

    def take(self, epoch: int, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Numbers in [0, 1), float32 (len(indices), width)."""
        import numpy as np

        if epoch != self._epoch:
            stream = np.random.Generator(np.random.Philox(key=[STREAM + self._seed, epoch]))
            self._numbers = stream.random((self._images, self.width), np.float32)
            self._epoch = epoch
        taken: NDArray[np.float32] = self._numbers[indices]
        return taken


def augment(augmentations: tuple[AugmentationSettings, ...], images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """The images after every augmentation of the list, in its order; each takes its own columns of ``numbers``."""
    first = 0
    for augmentation in augmentations:
        images = augmentation.apply(images, numbers[:, first : first + augmentation.numbers])
        first += augmentation.numbers
    return images
