"""The network of an earlier run, with its weights, under a new head."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from imgclf.errors import ImgclfError
from imgclf.models.base import ModelSettings
from imgclf.models.bodies import BodyUnion
from imgclf.settings import ImageShape, Text
from imgclf.texts import few

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
    pooling: Literal["avg", "max", "flatten"] = Field(
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
        features = self._last(whole).output if self.cut else whole.outputs[0]
        if len(features.shape) > 2:
            features = self._pool()(features)
        (image,) = whole.inputs
        return keras.Model(image, features, name=self.name)

    def unknown_cut(self, whole: keras.Model) -> str | None:
        """What is wrong with ``cut`` where the earlier run's network has no such layer; None where it has."""
        names = [layer.name for layer in whole.layers]
        if self.cut is None or self.cut in names:
            return None
        near = get_close_matches(self.cut, names, n=1)
        meant = f'did you mean "{near[0]}"? ' if near else ""
        return (
            f'expected a layer of the {whole.name} of {self.run}, found "{self.cut}"; '
            f"{meant}its layers: {few(names, most=20)}"
        )

    def _last(self, whole: keras.Model) -> keras.Layer:
        if message := self.unknown_cut(whole):
            raise ImgclfError(f"model.cut: {message}")
        return whole.get_layer(self.cut)

    def _pool(self) -> keras.Layer:
        from keras import layers

        pools = {
            "avg": layers.GlobalAveragePooling2D,
            "max": layers.GlobalMaxPooling2D,
            "flatten": layers.Flatten,
        }
        return pools[self.pooling](name="features")
