"""Heads: what turns a body's features into logits, one layer of them for each target."""

from __future__ import annotations

import string
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from imgclf.models.classical_heads import ClassicalHead, LogisticRegressionHead, SvmHead
from imgclf.models.initializers import GLOROT_UNIFORM, ZEROS, BiasInitializer, Initializer
from imgclf.models.layers import Activation, dense_layers
from imgclf.settings import Count, Fraction, ImageShape, Settings, refuse_idle

if TYPE_CHECKING:
    import keras

    from imgclf.models.base import ModelSettings

PREFIX, LOGITS = "head_", "logits_"  # how the names of a head's layers begin; no body has such


class HeadSettings(Settings):
    """The part ``model.head``: dense layers that all targets share, and then the logits of each."""

    dense_units: tuple[Count, ...] = Field(
        (), description="Units of dense layers between the features and the logits, in order."
    )
    activation: Activation = Field("relu", description="Activation of these dense layers.")
    dropout: Fraction = Field(0.0, description="Share of the units that is dropped after each of these dense layers.")
    kernel_initializer: Initializer = Field(GLOROT_UNIFORM, description="How the weights start.")
    bias_initializer: BiasInitializer = Field(ZEROS, description="How the biases start.")

    @model_validator(mode="after")
    def _dense_layers_have_what_is_theirs(self) -> HeadSettings:
        for key in ("activation", "dropout") if not self.dense_units else ():
            refuse_idle(self, key, "dense_units", "without dense_units, the layers that it belongs to")
        return self

    def problem(self, target: str, classes: int) -> str | None:  # noqa: ARG002
        """Why the head can't tell so many classes apart, or None where it can."""
        return None

    def size_note(self) -> str | None:
        """What the number of weights does not show before a run; nothing, of a head that is trained."""
        return None

    def shared(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """What all targets' logits are made of: the dense layers' outputs, or the features themselves."""
        initializers = self.kernel_initializer, self.bias_initializer
        for layer in dense_layers(self.dense_units, self.activation, *initializers, self.dropout, prefix=PREFIX):
            features = layer(features)
        return features

    @abstractmethod
    def logits(self, features: keras.KerasTensor, classes: int, name: str) -> keras.KerasTensor:
        """Logits, float32 (batch, classes), of a target; ``name`` is that of the layer that makes them."""

    def logits_layer(self, units: int, name: str) -> keras.layers.Dense:
        """The dense layer of the logits, without activation."""
        from keras import layers

        return layers.Dense(
            units,
            kernel_initializer=self.kernel_initializer.build(),
            bias_initializer=self.bias_initializer.build(),
            # Softmax and loss in bfloat16 or float16 cost accuracy; the last layer is too small to gain by them.
            dtype="float32",
            name=name,
        )


class SoftmaxHead(HeadSettings):
    """One logit a class."""

    name: Literal["softmax"] = Field(description="One logit a class, and softmax over them.")

    def logits(self, features: keras.KerasTensor, classes: int, name: str) -> keras.KerasTensor:
        return self.logits_layer(classes, name)(features)


class SigmoidHead(HeadSettings):
    """One unit for two classes: its sigmoid is the probability of the second.

    The logits are (0, z), whose softmax is (1 - sigmoid(z), sigmoid(z)): loss and reports are those of any two classes.
    """

    name: Literal["sigmoid"] = Field(description="One unit for two classes: the second's probability by a sigmoid.")

    def problem(self, target: str, classes: int) -> str | None:
        return None if classes == 2 else f"must have 2 classes to tell apart; {target} has {classes}: take softmax"

    def logits(self, features: keras.KerasTensor, classes: int, name: str) -> keras.KerasTensor:
        import keras

        assert classes == 2, f"{name}: {classes} classes"
        return keras.ops.pad(self.logits_layer(1, name)(features), ((0, 0), (1, 0)))


HeadUnion = Annotated[SoftmaxHead | SigmoidHead | SvmHead | LogisticRegressionHead, Field(discriminator="name")]
SOFTMAX = SoftmaxHead(name="softmax")


def build_model(settings: ModelSettings, image_shape: ImageShape, classes: Mapping[str, int]) -> keras.Model:
    """The whole network: images, float32 (batch, height, width, channels), to logits, float32 (batch, classes).

    ``classes`` maps each target's name to its number of classes. With one target the output is its logits; with
    several it is a list in the order of ``classes``.
    """
    return attach_heads(settings.build_body(image_shape), classes, settings.head)


def attach_heads(body: keras.Model, classes: Mapping[str, int], head: HeadSettings | ClassicalHead) -> keras.Model:
    """``body`` with logits for each target; its layers lie flat in the new model."""
    import keras

    features = head.shared(body.outputs[0]) if isinstance(head, HeadSettings) else body.outputs[0]
    logits = [head.logits(features, count, head_name(target)) for target, count in classes.items()]
    # A list of one as the input would make Keras warn of every call with the images alone.
    (images,) = body.inputs
    return keras.Model(images, logits if len(logits) > 1 else logits[0], name=body.name)


def cut(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """The body and the head of a model of :func:`build_model`, which share their layers with it.

    The body makes features (batch, features) of images, the head logits of features.
    """
    import keras

    first = next(layer for layer in model.layers if is_of_head(layer))
    features = first.input
    (images,) = model.inputs
    return keras.Model(images, features), keras.Model(features, model.output)


def is_of_head(layer: keras.Layer) -> bool:
    """Whether a layer belongs to a head, by its name."""
    return str(layer.name).startswith((PREFIX, LOGITS))


def head_name(target: str) -> str:
    """The name of the layer that holds the logits of a target.

    TensorFlow takes ASCII letters, digits and few signs; any other character is its number between dots.
    """
    plain = string.ascii_letters + string.digits + "_-"
    return LOGITS + "".join(one if one in plain else f".{ord(one):x}." for one in target)
