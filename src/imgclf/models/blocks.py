"""Stages of convolutions and pooling, then dense layers, as several families have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from imgclf.models.initializers import BiasInitializer, Initializer
from imgclf.models.layers import Activation, batch_normalization, dense_layers
from imgclf.settings import Count, ImageShape

if TYPE_CHECKING:
    import keras

Padding = Literal["valid", "same"]
Filters = Annotated[tuple[Count, ...], Field(min_length=1)]  # of the convolutions of a block
Stages = tuple[tuple[int, ...], ...]  # one tuple a stage: the filters of its convolutions


@dataclass(frozen=True)
class Style:
    """What all convolutions and dense layers of a network have in common; batch_norm is for convolutions alone."""

    activation: Activation
    kernel_initializer: Initializer
    bias_initializer: BiasInitializer
    batch_norm: bool = False


def convolution(
    filters: int, kernel_size: int, style: Style, place: str, *, strides: int = 1, padding: Padding = "same"
) -> keras.layers.Conv2D:
    """The convolution ``conv_{place}``; with batch normalisation it has no bias, and the activation comes later."""
    from keras import layers

    return layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding=padding,
        activation=None if style.batch_norm else style.activation,
        use_bias=not style.batch_norm,
        kernel_initializer=style.kernel_initializer.build(),
        bias_initializer=style.bias_initializer.build(),
        name=f"conv_{place}",
    )


def normalization(style: Style, place: str) -> list[keras.Layer]:
    """What follows the convolution of that place: batch normalisation and the activation, or nothing without it."""
    from keras import layers

    if not style.batch_norm:
        return []
    return [batch_normalization(f"norm_{place}"), layers.Activation(style.activation, name=f"activation_{place}")]


def stage_layers(
    stages: Stages, kernel_size: int, style: Style, *, padding: Padding, pool_size: int, dropout: float
) -> list[keras.Layer]:
    """The layers of all stages: convolutions, then max pooling (none where its size is 1), then dropout if any.

    Their names count from 1: ``conv_2_1`` is the first convolution of the second stage, ``pool_2`` its pooling.
    """
    from keras import layers

    made: list[keras.Layer] = []
    for number, stage in enumerate(stages, 1):
        for index, filters in enumerate(stage, 1):
            place = f"{number}_{index}"
            made += [convolution(filters, kernel_size, style, place, padding=padding)]
            if index == len(stage) and pool_size > 1:
                # Before the normalisation, which then works on a quarter of the values.
                made += [layers.MaxPooling2D(pool_size, name=f"pool_{number}")]
            made += normalization(style, place)
        made += [layers.Dropout(dropout, name=f"dropout_{number}")] if dropout else []
    return made


def flat_layers(units: tuple[int, ...], style: Style, *, dropout: float, dense_dropout: float) -> list[keras.Layer]:
    """Flattened maps, dropout if any, and then dense layers, each with its own dropout."""
    from keras import layers

    made: list[keras.Layer] = [layers.Flatten(name="flatten")]
    made += [layers.Dropout(dropout, name="flatten_dropout")] if dropout else []
    kernel, bias = style.kernel_initializer, style.bias_initializer
    return made + dense_layers(units, style.activation, kernel, bias, dropout=dense_dropout)


def chain(name: str, image_shape: ImageShape, body: list[keras.Layer]) -> keras.Sequential:
    """The network of these layers, one after the other, from an input ``image`` on."""
    from keras import Sequential, layers

    return Sequential([layers.Input(image_shape, name="image"), *body], name=name)


def smallest_side(stages: Stages, kernel_size: int, padding: Padding, pool_size: int) -> int:
    """The least height and width, in pixels, that leave one pixel after :func:`stage_layers`."""
    side = 1
    for stage in reversed(stages):
        side *= pool_size
        side += (kernel_size - 1) * len(stage) if padding == "valid" else 0
    return side
