"""Dropout's random numbers, made a function of the position: seed, step, replica, layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


class Seeds:
    """The seeds of every random layer of a model.

    Keras' layers draw from a counter of their own, which starts alike in every replica (so that all drop the same
    units) and is lost when a run is resumed. Here the counter is set before each step.
    """

    def __init__(self, model: keras.Model, seed: int) -> None:
        self._states = [generator.state for layer in model._flatten_layers() for generator in _generators(layer)]
        self._seed = seed

    def set(self, step: Any, replica: Any, replicas: int) -> None:
        """Seed every layer for ``step`` (int64, from the run's start) of ``replica``; called in the compiled step."""
        import tensorflow as tf

        position = tf.cast(step, tf.uint32) * tf.constant(replicas, tf.uint32) + tf.cast(replica, tf.uint32)
        for layer, state in enumerate(self._states):
            key = tf.constant((self._seed * 1_000_003 + layer) % 2**32, tf.uint32)
            state.assign(tf.stack([key, position]))


def random_layers(model: keras.Model) -> list[keras.Layer]:
    """The layers of ``model`` that do something else in training, by chance, than afterwards: dropout above all."""
    return [layer for layer in model.layers if _generators(layer)]


def _generators(layer: keras.Layer) -> Sequence[Any]:
    return getattr(layer, "_seed_generators", ())
