"""The network of an earlier run, with its weights, under a new head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from imgclf.errors import ImgclfError
from imgclf.models.base import ModelSettings
from imgclf.models.bodies import BodyUnion
from imgclf.models.cutting import Pooling, cut_at, pooled, unknown_cut
from imgclf.settings import ImageShape, Text

if TYPE_CHECKING:
    import keras


class Transfer(ModelSettings):
    """An earlier run's network, up to one of its layers, with that run's weights.

    Input: what the earlier network takes; images of another size too, where no layer that is kept depends on it.
    Output: features (batch, features), the last layer's output, pooled where it is maps.
    """

    name: Literal["transfer"] = Field(description="The network of an earlier run, cut at a layer, with its weights.")
    run: Text = Field(description="The run: a path, a name in the runs folder, or `latest`, the newest finished one.")
    cut: Text | None = Field(
        None, description="Name of the last layer that is kept. null: everything below the earlier head."
    )
    pooling: Pooling = Field(
        "avg", description="What makes features of maps, where the last layer has some: means, maxima, or all values."
    )
    body: BodyUnion | None = Field(
        None,
        description="The earlier run's section `model`. null: read from that run when training starts, and written.",
    )

    def smallest_image(self) -> tuple[int, int]:
        return self.body.smallest_image() if self.body else (1, 1)

    def image_problem(self, image_shape: ImageShape) -> str | None:
        return self.body.image_problem(image_shape) if self.body else None

    def image_layer(self) -> str | None:
        return self.body.image_layer() if self.body else None

    def starts_trained(self) -> bool:
        return True

    def has_entrance(self) -> bool:
        return self.body is not None and self.body.has_entrance()

    def notes(self, image_shape: ImageShape) -> tuple[str, ...]:
        if self.body is None:
            return ()
        until = f" up to {self.cut}" if self.cut else ""
        return (f"the {self.body.name} of {self.run}{until}", *self.body.notes(image_shape))

    def build_body(self, image_shape: ImageShape) -> keras.Model:
        import keras

        if self.body is None:
            raise ImgclfError(f"model.run: the network of {self.run} is read when training starts")
        whole = self.body.build_body(image_shape)
        features = (
            cut_at(whole, self.cut, self.pooling, self._whose()) if self.cut else pooled(whole.outputs[0], self.pooling)
        )
        (image,) = whole.inputs
        return keras.Model(image, features, name=self.name)

    def cut_problem(self, image_shape: ImageShape) -> str | None:
        if self.cut is None or self.body is None:
            return None
        return unknown_cut(self.body.build_body(image_shape), self.cut, self._whose())

    def cut_layer(self) -> str | None:
        return self.cut

    def _whose(self) -> str:
        assert self.body is not None
        return f"the {self.body.name} of {self.run}"
