"""Types of the computation: Keras' policies, and the loss scale that float16 needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from imgclf.training.checkpoint import Variables
from imgclf.training.settings import Precision

POLICIES: dict[Precision, str] = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
FIRST_SCALE, GROW_AFTER = 2.0**15, 2000


@contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Layers that are made inside compute in ``precision``; their weights are float32."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class LossScale:
    """Keeps float16 gradients off zero: the loss is multiplied, the gradients divided (Micikevicius et al., 2018).

    The scale is halved when a gradient is not finite, and that step is left out; it is doubled after 2,000 good steps.
    For other types it is 1, and a step that is not finite ends the run.
    """

    def __init__(self, precision: Precision) -> None:
        self.active = precision == "float16"
        if self.active:
            import tensorflow as tf

            self.scale = tf.Variable(FIRST_SCALE, trainable=False, name="loss_scale")
            self.good_steps = tf.Variable(0, trainable=False, name="good_steps")

    def up(self, loss: Any) -> Any:
        """The loss as it is differentiated."""
        return loss * self.scale if self.active else loss

    def down(self, gradients: list[Any]) -> list[Any]:
        """The gradients of the loss itself."""
        return [gradient / self.scale for gradient in gradients] if self.active else gradients

    def goes_on(self, finite: Any) -> Any:
        """Whether the run goes on after a step; changes the scale. Called inside the compiled step."""
        if not self.active:
            return finite
        import tensorflow as tf

        good = tf.where(finite, self.good_steps + 1, 0)
        grown = tf.where(good >= GROW_AFTER, self.scale * 2, self.scale)
        self.scale.assign(tf.where(finite, grown, self.scale / 2))
        self.good_steps.assign(tf.where(good >= GROW_AFTER, 0, good))
        return self.scale >= 1.0

    def state(self) -> Mapping[str, Any]:
        """Scale and good steps; nothing where the scale is always 1."""
        return self._variables().state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""
        self._variables().restore(state)

    def _variables(self) -> Variables:
        return Variables([self.scale, self.good_steps] if self.active else [])
