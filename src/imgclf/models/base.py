"""What a model is to the rest of the program: settings that validate themselves and build a body."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from imgclf.models.heads import SOFTMAX, HeadUnion
from imgclf.models.published import PublishedWeights
from imgclf.settings import ImageShape, Settings, refuse_idle

if TYPE_CHECKING:
    import keras


# Keys of several models that do nothing where the other one is empty or off.
NEEDS = {"dense_dropout": "dense_units", "local_response": "local_response_normalization"}


class ModelSettings(Settings):
    """The section ``model``: the keys that every model has."""

    head: HeadUnion = Field(SOFTMAX, description="What attaches the classes of the data to the body.")

    @model_validator(mode="after")
    def _what_needs_another_key_has_it(self) -> ModelSettings:
        for key, needed in NEEDS.items():
            if key in type(self).model_fields and not getattr(self, needed):
                refuse_idle(self, key, needed, f"without {needed}")
        return self

    def smallest_image(self) -> tuple[int, int]:
        """The least height and width (pixels) from which the body can be built."""
        return 1, 1

    def starts_trained(self) -> bool:
        """Whether the body begins with trained weights, which a job loads into it."""
        return self.published_weights() is not None

    def image_problem(self, image_shape: ImageShape) -> str | None:  # noqa: ARG002
        """Why the body can't be built for images of this shape that are not too small, or None where it can."""
        return None

    def has_entrance(self) -> bool:
        """Whether the body itself brings pixels 0 to 1 into the range that it was trained on."""
        return False

    def notes(self, image_shape: ImageShape) -> tuple[str, ...]:  # noqa: ARG002
        """What the user should know of this model on images of this shape, one line each."""
        return ()

    def published_weights(self) -> PublishedWeights | None:
        """The weights that a job must load into the model before training; None: it begins with random numbers."""
        return None

    def uncut(self) -> ModelSettings:
        """The network whose layers the published weights fill; the body may be a part of it."""
        return self

    def cut_layer(self) -> str | None:
        """The layer at which the network is cut; None where it is whole."""
        return None

    def cut_problem(self, image_shape: ImageShape) -> str | None:  # noqa: ARG002
        """What is wrong with the layer at which the network is cut, found by building it; None where nothing is."""
        return None

    def finish_loading(self, model: keras.Model) -> None:
        """Called with the model after its published weights were loaded."""

    def image_layer(self) -> str | None:
        """Name of a layer whose output is an image worth showing beside its input; None where there is none.

        A network that is cut may lack it.
        """
        return None

    @abstractmethod
    def build_body(self, image_shape: ImageShape) -> keras.Model:
        """The network from images, float32 (batch, height, width, channels), to features (batch, features)."""
