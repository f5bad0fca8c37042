"""The exponential moving average of a model's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import Field

from imgclf.settings import Fraction, Settings
from imgclf.training.checkpoint import Variables

if TYPE_CHECKING:
    import keras


class WeightAverage(Settings):
    """The part ``training.weight_average``."""

    decay: Fraction = Field(
        0.999,
        description="Share of the average that stays at each update; of the first updates less stays, "
        "(1 + updates) / (10 + updates), so that the first weights are soon forgotten.",
    )


class Average:
    """Keeps the average of all that training changes in ``model``: its weights, and the statistics of its layers."""

    def __init__(self, model: keras.Model, settings: WeightAverage) -> None:
        import tensorflow as tf

        self._decay = settings.decay
        self._weights = [one.value for one in model.variables if "seed_generator" not in one.path]
        self._averages = [
            tf.Variable(
                one,
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_WRITE,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
                name=f"average_{number}",
            )
            for number, one in enumerate(self._weights)
        ]
        self._updates = tf.Variable(
            0.0, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA, name="average_updates"
        )

    def update(self) -> None:
        """Take in the weights after an update; called in the compiled step, by each replica."""
        import tensorflow as tf

        updates = self._updates + 1.0
        share = 1.0 - tf.minimum(self._decay, (1.0 + updates) / (10.0 + updates))
        for average, weight in zip(self._averages, self._weights, strict=True):
            average.assign(average + tf.cast(share, average.dtype) * (weight - average))
        self._updates.assign(updates)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model holds the averages inside the block, and its own weights again after it, however it ends."""
        own = [weight.numpy() for weight in self._weights]
        try:
            self.put()
            yield
        finally:
            for weight, value in zip(self._weights, own, strict=True):
                weight.assign(value)

    def put(self) -> None:
        """Put the averages into the model, for good."""
        for weight, average in zip(self._weights, self._averages, strict=True):
            weight.assign(average.numpy())

    def state(self) -> Mapping[str, Any]:
        """The averages, and the number of updates."""
        return Variables([*self._averages, self._updates]).state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""
        Variables([*self._averages, self._updates]).restore(state)


@contextmanager
def averaged(average: Average | None) -> Iterator[Any]:
    """The model holds the averages inside the block, where there are any."""
    if average is None:
        yield
        return
    with average.in_place():
        yield
