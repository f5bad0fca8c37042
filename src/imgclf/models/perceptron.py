"""The perceptron: no hidden layer at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from imgclf.models.base import ModelSettings
from imgclf.settings import ImageShape

if TYPE_CHECKING:
    import keras


class Perceptron(ModelSettings):
    """Softmax regression: every pixel is joined to every class (Rosenblatt, 1958, with today's loss).

    Input: float32 (batch, height, width, channels). Output: features (batch, height * width * channels), the pixels.
    """

    name: Literal["perceptron"] = Field(description="Softmax regression on the pixels.")

    def build_body(self, image_shape: ImageShape) -> keras.Model:
        from keras import Sequential, layers

        return Sequential([layers.Input(image_shape, name="image"), layers.Flatten(name="flatten")], name=self.name)
