"""What a model is to the rest of the program: settings that validate themselves and build a body."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from pydantic import Field

from imgclf.models.heads import SOFTMAX, HeadUnion
from imgclf.settings import ImageShape, Settings

if TYPE_CHECKING:
    import keras


class ModelSettings(Settings):
    """The section ``model``: the keys that every model has."""

    head: HeadUnion = Field(SOFTMAX, description="What attaches the classes of the data to the body.")

    def smallest_image(self) -> tuple[int, int]:
        """The least height and width (pixels) from which the body can be built."""
        return 1, 1

    def starts_trained(self) -> bool:
        """Whether the body begins with trained weights, which a job loads into it."""
        return False

    @abstractmethod
    def build_body(self, image_shape: ImageShape) -> keras.Model:
        """The network from images, float32 (batch, height, width, channels), to features (batch, features)."""
