"""The one forward pass without training: validation, evaluate and predict all come here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

BATCH = 256


class Takes(Protocol):
    """Images that are taken by index."""

    def __len__(self) -> int: ...

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]: ...


class Forward:
    """A model and its preprocessing, compiled once: pixels in, logits out.

    ``preprocess`` makes of pixels what the model sees: float32, same shape. ``test_time_augmentation`` "flip" averages
    the logits of each image and of its horizontal mirror image, at twice the time.
    """

    def __init__(
        self,
        model: keras.Model,
        preprocess: Callable[[Any], Any],
        test_time_augmentation: Literal["flip"] | None = None,
    ) -> None:
        import tensorflow as tf

        def plain(images: Any) -> list[Any]:
            return _as_list(model(preprocess(images), training=False))

        def averaged(images: Any) -> list[Any]:
            # The pixels are mirrored, not what the model sees: whitening treats each place differently.
            both = zip(plain(images), plain(tf.reverse(images, axis=[2])), strict=True)
            return [(one + mirrored) / 2 for one, mirrored in both]

        self._call = tf.function(averaged if test_time_augmentation else plain, reduce_retracing=True)

    def logits(self, pixels: Takes) -> list[NDArray[np.float32]]:
        """Logits of every image, in order: float32 (images, classes) for each target.

        All batches have one size, the last one padded and cut again, so that an image's logits do not depend on how
        many images came with it in the last batch.
        """
        parts = [self.batch(images) for images in _batches(pixels)]
        return [np.concatenate(target)[: len(pixels)] for target in zip(*parts, strict=True)]

    def batch(self, images: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Logits of one batch of uint8 images (batch, height, width, channels)."""
        import tensorflow as tf

        return [target.numpy().astype(np.float32, copy=False) for target in self._call(tf.constant(images))]


def _batches(pixels: Takes) -> Iterator[NDArray[Any]]:
    size = min(BATCH, len(pixels))
    for first in range(0, len(pixels), size):
        indices = np.minimum(np.arange(first, first + size), len(pixels) - 1)
        yield pixels.take(indices)


def _as_list(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
