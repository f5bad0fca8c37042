"""The published networks of ``keras.applications``, with or without their ImageNet weights."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from imgclf.models.base import ModelSettings
from imgclf.models.cutting import Pooling, cut_at, pooled, unknown_cut
from imgclf.models.entrance import entrance, entrance_notes, entrance_problem
from imgclf.models.networks import NETWORKS, ApplicationName, Network
from imgclf.models.published import PublishedWeights
from imgclf.settings import ImageShape, Misfit, Text

if TYPE_CHECKING:
    import keras

# EfficientNet's published variances are deviations; Keras makes up for it by a layer that it builds only together
# with the download (https://github.com/tensorflow/tensorflow/issues/49930).
EFFICIENTNET_VARIANCE = (0.229, 0.224, 0.225)


class Application(ModelSettings):
    """A published network by its Keras name, below its classifier; see https://keras.io/api/applications.

    Input: float32 (batch, height, width, 1 or 3), pixels 0 to 1, which the first layers bring to the size and the
    range that the network was published for. Output: features (batch, features): the last maps pooled or flattened,
    or with its top what the published classifier is fed.
    """

    name: Literal["application"] = Field(description="A published network of keras.applications.")
    application: ApplicationName = Field("VGG16", description="Its name in keras.applications.")
    weights: str | None = Field(
        "imagenet",
        min_length=1,
        description="What the network begins with: `imagenet` (looked for in the data folder under weights/, then in "
        "Keras' cache, else downloaded), the path of a file of its weights that Keras saved (`.h5` or "
        "`.weights.h5`), or null: random numbers.",
    )
    pooling: Pooling = Field(
        "avg", description="What makes features of the last maps: their means, their maxima, or all their values."
    )
    cut: Text | None = Field(
        None,
        description="Name of the last layer that is kept, for images that are not like ImageNet's (`block3_pool`). "
        "null: the last maps.",
    )
    top: bool = Field(
        False,
        description="true: the published layers between the last maps and the classifier stay (VGG's fc1 and fc2); "
        "images must then have the published size.",
    )

    @model_validator(mode="after")
    def _top_is_the_end(self) -> Application:
        if self.top and self.cut:
            raise Misfit(("cut",), "a network that keeps its own top (top: true) ends with it; leave this out")
        if self.top and self.pooling != "avg":
            raise Misfit(("pooling",), "the network's own top (top: true) has its own pooling; leave this out")
        return self

    def image_problem(self, image_shape: ImageShape) -> str | None:
        height, width, _ = image_shape
        side = self._network.side
        if self.top and (height, width) != (side, side):
            return f"{self.application} with its top takes images of {side}x{side} pixels; found {height}x{width}"
        return entrance_problem(image_shape)

    def has_entrance(self) -> bool:
        return True

    def notes(self, image_shape: ImageShape) -> tuple[str, ...]:
        return entrance_notes(image_shape, self._network.pixel_range, self._network.least_side)

    def published_weights(self) -> PublishedWeights | None:
        if self.weights is None:
            return None
        own, network = f"{self.application.lower()}_imagenet", self._network
        files: tuple[str, ...] = (f"{own}.h5", network.with_top)
        if not self.top:
            files = (f"{own}_notop.h5", network.without_top, *files)
        return PublishedWeights(self.application, self.weights, files, self._download)

    def uncut(self) -> Application:
        return self.model_copy(update={"cut": None}) if self.cut else self

    def cut_problem(self, image_shape: ImageShape) -> str | None:
        import keras

        network = self._built_on(keras.layers.Input(image_shape)) if self.cut else None
        return unknown_cut(network, self.cut, self.application) if network else None

    def finish_loading(self, model: keras.Model) -> None:
        layer = next((one for one in model.layers if one.name == "normalization"), None)
        if self.application.startswith("EfficientNetB") and layer:
            variance = layer.adapt_variance.numpy()
            if all(
                abs(found - known) < 1e-4 for found, known in zip(variance.flat, EFFICIENTNET_VARIANCE, strict=True)
            ):
                layer.adapt_variance.assign(variance**2)
                layer.finalize_state()

    def build_body(self, image_shape: ImageShape) -> keras.Model:
        import keras

        image = keras.layers.Input(image_shape, name="image")
        network = self._built_on(image)
        features = _classifier(network).input if self.top else network.outputs[0]
        if self.cut:
            features = cut_at(network, self.cut, self.pooling, self.application)
        features = pooled(features, "flatten")
        body = keras.Model(image, features, name=self.name)
        for layer in body.layers:
            _settle(layer)
        return body

    def cut_layer(self) -> str | None:
        return self.cut

    @property
    def _network(self) -> Network:
        return NETWORKS[self.application]

    def _built_on(self, image: keras.KerasTensor) -> keras.Model:
        """Keras' own network on top of the entrance, with random weights."""
        import keras

        pixels = entrance(image, self._network.pixel_range, self._network.least_side)
        skipped: dict[str, Any] = {"include_preprocessing": False} if self._network.may_skip_preprocessing else {}
        network: keras.Model = getattr(keras.applications, self.application)(
            include_top=self.top,
            weights=None,
            input_tensor=pixels,
            input_shape=tuple(pixels.shape[1:]),
            pooling=None if self.pooling == "flatten" or self.top else self.pooling,
            **skipped,
        )
        _number_names(network)
        return network

    def _download(self) -> None:
        import keras

        shape = (self._network.side, self._network.side, 3)
        getattr(keras.applications, self.application)(include_top=self.top, weights="imagenet", input_shape=shape)


def _classifier(network: keras.Model) -> keras.layers.Layer:
    """The published classifier: the last layer with weights, dense or a convolution of one place."""
    return [layer for layer in network.layers if layer.weights][-1]


def _settle(layer: keras.layers.Layer) -> None:
    """What the program asks of every body: pixels in float32, batch normalisation over all devices' images."""
    import tensorflow as tf
    from keras import layers

    if isinstance(layer, (layers.Rescaling, layers.Normalization)) and _is_of_input(layer):
        layer.dtype_policy = "float32"
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()
    if isinstance(layer, layers.BatchNormalization):
        layer.synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1


def _is_of_input(layer: keras.layers.Layer) -> bool:
    return bool(layer.output.shape[-1] == 3)


def _number_names(network: keras.Model) -> None:
    """Number the layers that Keras named by itself from the first of their class on, in the order of their making.

    Keras counts on from network to network, so that the names would depend on what was built before in the process;
    a run's weights are told apart by them.
    """
    counts: Counter[str] = Counter()
    for operation in sorted(network.operations, key=lambda one: _number(one) or 0):
        if _number(operation) is not None:
            kind = _kind(operation)
            operation.name = f"{kind}_{counts[kind]}" if counts[kind] else kind
            counts[kind] += 1


def _number(operation: keras.Operation) -> int | None:
    """The number in a name that Keras gave (0 where it has none); None for a name that somebody chose."""
    match = re.fullmatch(rf"{_kind(operation)}(?:_(\d+))?", operation.name)
    return int(match[1] or 0) if match else None


def _kind(operation: keras.Operation) -> str:
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", type(operation).__name__)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
