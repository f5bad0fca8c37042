"""The one forward pass without training: validation, evaluate and predict all come here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

BATCH = 256
LAYER_BYTES = 2**28  # the output of VGG16's first layer for 32 images of 150x150 pixels takes 184 MB


class Takes(Protocol):
    """Images that are taken by index."""

    def __len__(self) -> int: ...

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]: ...


class Forward:
    """A model and its preprocessing, compiled once: pixels in, logits out.

    ``preprocess`` makes of pixels what the model sees: float32, same shape. ``test_time_augmentation`` "flip" averages
    the logits of each image and of its horizontal mirror image, at twice the time. ``image_layer`` names the layer
    whose output :meth:`image_output` gives; one that the model lacks is none.
    """

    def __init__(
        self,
        model: keras.Model,
        preprocess: Callable[[Any], Any],
        test_time_augmentation: Literal["flip"] | None = None,
        image_layer: str | None = None,
    ) -> None:
        import tensorflow as tf

        def plain(images: Any) -> list[Any]:
            return _as_list(model(preprocess(images), training=False))

        def averaged(images: Any) -> list[Any]:
            # The pixels are mirrored, not what the model sees: whitening treats each place differently.
            both = zip(plain(images), plain(tf.reverse(images, axis=[2])), strict=True)
            return [(one + mirrored) / 2 for one, mirrored in both]

        cut = _cut(model, image_layer)
        self.batch_images = _batch_images(model)
        self._to_image_layer = cut and tf.function(lambda images: cut(preprocess(images), training=False))
        self._call = tf.function(averaged if test_time_augmentation else plain, reduce_retracing=True)

    def logits(self, pixels: Takes) -> list[NDArray[np.float32]]:
        """Logits of every image, in order: float32 (images, classes) for each target.

        All batches have one size, the last one padded and cut again, so that an image's logits do not depend on how
        many images came with it in the last batch.
        """
        parts = list(self.parts(pixels))
        return [np.concatenate(target) for target in zip(*parts, strict=True)]

    def parts(self, pixels: Takes) -> Iterator[list[NDArray[np.float32]]]:
        """The same, a batch at a time: outputs float32 (images, ...) for each target."""
        for first, images in _batches(pixels, self.batch_images):
            yield [target[: len(pixels) - first] for target in self.batch(images)]

    def batch(self, images: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Logits of one batch of uint8 images (batch, height, width, channels)."""
        import tensorflow as tf

        return [target.numpy().astype(np.float32, copy=False) for target in self._call(tf.constant(images))]

    def image_output(self, images: NDArray[Any]) -> NDArray[np.float32] | None:
        """What the image layer makes of one batch: float32 (batch, height, width, channels); None where none is named.

        It is on the scale of what the model sees.
        """
        import tensorflow as tf

        if self._to_image_layer is None:
            return None
        found: NDArray[np.float32] = self._to_image_layer(tf.constant(images)).numpy().astype(np.float32, copy=False)
        return found


def _cut(model: keras.Model, layer: str | None) -> keras.Model | None:
    """The model up to a layer; None where it has no such layer, as one that was cut below."""
    import keras

    if layer not in [one.name for one in model.layers]:
        return None
    (images,) = model.inputs
    return keras.Model(images, model.get_layer(layer).output)


def _batch_images(model: keras.Model) -> int:
    """Images in a batch: as many as the largest output of a layer allows, a power of two."""
    shapes = [layer.output.shape[1:] for layer in model.layers if hasattr(layer.output, "shape")]
    most = max(4 * math.prod(shape) for shape in shapes if None not in shape)
    return int(2 ** min(math.log2(BATCH), max(0, math.floor(math.log2(LAYER_BYTES / most)))))


def _batches(pixels: Takes, most: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """The position of each batch's first image, and its images; the last batch is filled up with the last image."""
    size = min(most, len(pixels))
    for first in range(0, len(pixels), size):
        indices = np.minimum(np.arange(first, first + size), len(pixels) - 1)
        yield first, pixels.take(indices)


def _as_list(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
