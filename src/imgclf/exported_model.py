"""A trained model with all that `predict` does around it, as one Keras model: bytes in, probabilities out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.base import Target
from imgclf.models.heads import LOGITS, head_name
from imgclf.models.local_response import layer_class, standard_layers
from imgclf.preprocessing import PreprocessingSettings
from imgclf.preprocessing.normalization import EPSILON, Featurewise, Samplewise
from imgclf.trained import Trained

if TYPE_CHECKING:
    import keras

INPUT, OUTPUT = "images", "probabilities"
_SCALES = {"unit": (1 / 255, 0.0), "symmetric": (2 / 255, -1.0), "none": (1.0, 0.0)}


def exported_model(trained: Trained, *, for_keras: bool = False) -> keras.Model:
    """Images, uint8 (batch, height, width, channels), to probabilities, float32 (batch, classes).

    With several targets the output is a dictionary by :func:`output_names`. Everything around the network is made of
    Keras' own layers and operations, and ``for_keras`` the network too, as far as it goes; the weights are shared.
    """
    import keras
    from keras import layers

    images = keras.Input(trained.image_shape, dtype="uint8", name=INPUT)
    network = _of_standard_layers(trained.model) if for_keras else trained.model
    logits = _logits(trained, network, images)
    probabilities = {}
    for (target, name), one in zip(output_names(trained.targets).items(), logits, strict=True):
        temperature = trained.temperatures.get(target, 1.0)
        scaled = one if temperature == 1 else layers.Rescaling(1 / temperature, dtype="float32")(one)
        probabilities[name] = layers.Softmax(dtype="float32", name=name)(scaled)
    only = next(iter(probabilities.values()))
    return keras.Model(images, probabilities if len(probabilities) > 1 else only, name=trained.model.name)


def output_names(targets: tuple[Target, ...]) -> dict[str, str]:
    """By target, the name of the output with its probabilities: "probabilities", or one for each of several."""
    if len(targets) == 1:
        return {targets[0].name: OUTPUT}
    return {target.name: f"{OUTPUT}_{head_name(target.name).removeprefix(LOGITS)}" for target in targets}


def foreign_layers(model: keras.Model) -> list[str]:
    """The layers that Keras alone can't load, as "name (class)": those of a class that is not its own."""
    found: list[str] = []
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found += foreign_layers(layer)
        elif not type(layer).__module__.startswith("keras."):
            found.append(f"{layer.name} ({type(layer).__name__})")
    return found


def _of_standard_layers(model: keras.Model) -> keras.Model:
    """The model with its local response normalisations made of Keras' own layers."""
    import keras

    special = layer_class()
    if not any(isinstance(layer, special) for layer in model.layers):
        return model
    return keras.models.clone_model(
        model, clone_function=lambda layer: standard_layers(layer) if isinstance(layer, special) else layer
    )


def _logits(trained: Trained, network: keras.Model, images: keras.KerasTensor) -> list[keras.KerasTensor]:
    """The logits of each target, averaged over an image and its mirror image where the experiment says so."""
    import keras

    preprocess = _Preprocess(trained)
    plain = _as_list(network(preprocess(images)))
    if trained.source.experiment.evaluation.test_time_augmentation is None:
        return plain
    mirrored = _as_list(network(preprocess(keras.ops.flip(images, axis=2))))
    return [(one + other) / 2 for one, other in zip(plain, mirrored, strict=True)]


class _Preprocess:
    """The preprocessing as Keras layers, which are made once and may be called on several tensors."""

    def __init__(self, trained: Trained) -> None:
        from keras import layers

        settings: PreprocessingSettings = trained.source.experiment.preprocessing
        fitted = trained.preprocessing.fitted
        scale, offset = _SCALES[settings.scaling]
        self._layers: list[Any] = [layers.Rescaling(scale, offset, dtype="float32", name="scaling")]
        if isinstance(settings.normalization, Featurewise):
            self._layers.append(_featurewise(settings.normalization, fitted, trained.image_shape[2]))
        elif isinstance(settings.normalization, Samplewise):
            normalization = settings.normalization
            self._layers.append(lambda pixels: _samplewise(normalization, pixels))
        if settings.whitening is not None:
            self._layers += _whitening(fitted, trained.image_shape)

    def __call__(self, images: keras.KerasTensor) -> keras.KerasTensor:
        for layer in self._layers:
            images = layer(images)
        return images


def _featurewise(settings: Featurewise, fitted: Any, channels: int) -> keras.layers.Layer:
    mean = fitted["normalization_mean"] if settings.center else np.zeros(channels)
    divisor = fitted["normalization_deviation"].astype(np.float64) + EPSILON if settings.scale else np.ones(channels)
    return _normalization(mean, divisor, "normalization")


def _samplewise(settings: Samplewise, pixels: keras.KerasTensor) -> keras.KerasTensor:
    from keras import ops

    axes = (1, 2) if settings.per_channel else (1, 2, 3)
    mean = ops.mean(pixels, axes, keepdims=True)
    centred = pixels - mean
    divisor = ops.sqrt(ops.mean(ops.square(centred), axes, keepdims=True)) + EPSILON
    kept = centred if settings.center else pixels
    return kept / divisor if settings.scale else kept


def _whitening(fitted: Any, image_shape: tuple[int, int, int]) -> list[keras.layers.Layer]:
    """Float64 for the product: a GPU may round the factors of a float32 one to 10 bits, too few for what cancels."""
    from keras import layers

    mean, matrix = fitted["whitening_mean"], fitted["whitening_matrix"]
    product = layers.Dense(len(mean), use_bias=False, dtype="float64", trainable=False, name="whitening")
    product.build((None, len(mean)))
    product.set_weights([matrix])
    return [
        layers.Reshape((len(mean),), dtype="float32"),
        _normalization(mean, np.ones(len(mean)), "whitening_mean"),
        product,
        layers.Reshape(image_shape, dtype="float32"),
    ]


def _normalization(mean: NDArray[Any], divisor: NDArray[Any], name: str) -> keras.layers.Layer:
    """A layer that gives (pixels - mean) / divisor, both along the last axis."""
    from keras import layers

    variance = np.square(divisor.astype(np.float64))
    return layers.Normalization(mean=mean.tolist(), variance=variance.tolist(), dtype="float32", name=name)


def _as_list(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
