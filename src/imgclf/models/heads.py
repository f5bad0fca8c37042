"""The one function that gives a body its heads: a layer of logits for each target."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import TYPE_CHECKING

from imgclf.models.base import HeadSettings, ModelSettings
from imgclf.settings import ImageShape

if TYPE_CHECKING:
    import keras


def build_model(settings: ModelSettings, image_shape: ImageShape, classes: Mapping[str, int]) -> keras.Model:
    """The whole network: images, float32 (batch, height, width, channels), to logits, float32 (batch, classes).

    ``classes`` maps each target's name to its number of classes. With one target the output is its logits; with
    several it is a list in the order of ``classes``.
    """
    return attach_heads(settings.build_body(image_shape), classes, settings.head)


def attach_heads(body: keras.Model, classes: Mapping[str, int], head: HeadSettings) -> keras.Model:
    """``body`` with one dense layer of logits for each target; its layers lie flat in the new model."""
    import keras

    logits = [
        keras.layers.Dense(
            count,
            kernel_initializer=head.kernel_initializer.build(),
            bias_initializer=head.bias_initializer.build(),
            # Softmax and loss in bfloat16 or float16 cost accuracy; the last layer is too small to gain by them.
            dtype="float32",
            name=head_name(target),
        )(body.outputs[0])
        for target, count in classes.items()
    ]
    # A list of one as the input would make Keras warn of every call with the images alone.
    (images,) = body.inputs
    return keras.Model(images, logits if len(logits) > 1 else logits[0], name=body.name)


def head_name(target: str) -> str:
    """The name of the layer that holds the logits of a target.

    TensorFlow takes ASCII letters, digits and few signs; any other character is its number between dots.
    """
    plain = string.ascii_letters + string.digits + "_-"
    return "logits_" + "".join(one if one in plain else f".{ord(one):x}." for one in target)
