"""The one forward pass without training: validation, evaluate and predict all come here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

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

    ``preprocess`` makes of pixels what the model sees: float32, same shape.
    """

    def __init__(self, model: keras.Model, preprocess: Callable[[Any], Any]) -> None:
        import tensorflow as tf

        self._call = tf.function(
            lambda images: _as_list(model(preprocess(images), training=False)), reduce_retracing=True
        )

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
