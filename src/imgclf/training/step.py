"""The compiled chunk: several training steps in one call."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imgclf.augmentation.base import AugmentationSettings, augment, mixes, own_shares
from imgclf.preprocessing import Preprocessing
from imgclf.training.average import Average
from imgclf.training.dropout import Seeds
from imgclf.training.feed import Chunk
from imgclf.training.loss import Loss, Mix
from imgclf.training.precision import LossScale
from imgclf.training.settings import StageSettings

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


@dataclass(frozen=True)
class ChunkResult:
    """What a call did.

    ``steps`` were gone through before the end or the step that was not ``finite``; ``updates`` of them changed the
    weights (all, but where float16's loss scale left one out). ``loss`` and ``accuracy`` are means over the updates,
    NaN where there was none.
    """

    steps: int
    updates: int
    loss: float
    accuracy: float
    finite: bool


@dataclass(frozen=True)
class Step:
    """Everything that a training step needs but its images.

    Where there is a ``frozen`` body, the model takes its features, as inference makes them, in place of images.
    """

    model: keras.Model
    frozen: keras.Model | None
    optimizer: keras.optimizers.Optimizer
    stage: StageSettings
    loss: Loss
    preprocessing: Preprocessing
    augmentations: tuple[AugmentationSettings, ...]
    seeds: Seeds
    scale: LossScale
    average: Average | None
    strategy: tf.distribute.Strategy

    def compiled(self) -> Callable[[Chunk, NDArray[np.float32]], ChunkResult]:
        """``call(chunk, learning_rates)``: trains on every step of the chunk, unless one is not finite."""
        import tensorflow as tf

        train: Any = None

        def call(chunk: Chunk, learning_rates: NDArray[np.float32]) -> ChunkResult:
            nonlocal train
            arrays = [tf.constant(one) for one in (chunk.images, chunk.labels, chunk.numbers, learning_rates)]
            if train is None:
                # Chunks differ in their number of steps alone; traced once for all of them.
                shapes = [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in arrays]
                train = tf.function(self._train, input_signature=[*shapes, tf.TensorSpec((), tf.int64)])
            with self.strategy.scope():
                steps, updates, loss, correct, finite = train(*arrays, tf.constant(chunk.span.first, tf.int64))
            counted = int(updates) or math.nan
            answers = counted * chunk.labels.shape[1] * chunk.labels.shape[2]
            return ChunkResult(int(steps), int(updates), float(loss) / counted, float(correct) / answers, bool(finite))

        return call

    def forward_backward(self, images: Any, labels: Any, numbers: Any, step: Any) -> tuple[Any, ...]:
        """One replica's share of a step: loss, correct answers and gradients, each summed over all replicas.

        Images that are mixed of two count as correct with the label of the greater share.
        """
        import tensorflow as tf

        replica = tf.distribute.get_replica_context()
        moving = [tf.identity(variable.value) for variable in self._moving()]
        self.seeds.set(step, replica.replica_id_in_sync_group, self.strategy.num_replicas_in_sync)
        labels, mix = self._mixed(labels, numbers, images)
        images = self.prepared(images, numbers)
        with tf.GradientTape() as tape:
            logits = _as_list(self.model(images, training=True))
            loss = self.loss(logits, labels, mix) / self.strategy.num_replicas_in_sync
            loss += sum(self.model.losses) / self.strategy.num_replicas_in_sync if self.model.losses else 0.0
            scaled = self.scale.up(loss)
        weights = [variable.value for variable in self.model.trainable_variables]
        gradients = self.scale.down(tape.gradient(scaled, weights, unconnected_gradients="zero"))
        answers = [tf.argmax(one, axis=-1, output_type=tf.int32) for one in logits]
        asked = labels if mix is None else mix.greater(labels)
        correct = tf.reduce_sum(tf.cast(tf.stack(answers, axis=1) == asked, tf.float32))
        loss, correct, gradients = replica.all_reduce("sum", [loss, correct, gradients])
        gradients, norm = self._clip(gradients)
        return loss, correct, self._is_finite(loss, norm), gradients, moving

    def release(self) -> None:
        """Give back the memory of the optimizer's variables (Adam's are twice the model's); no step follows.

        Dropping the step does not: tf.distribute registers a gradient for each all_reduce, which holds the compiled
        step, and so its variables, to the end of the process.
        """
        import tensorflow as tf

        for variable in self.optimizer.variables:
            for one in self.strategy.experimental_local_results(variable.value):
                tf.raw_ops.AssignVariableOp(resource=one.handle, value=tf.zeros((0,), one.dtype))

    def prepared(self, images: Any, numbers: Any) -> Any:
        """The images as the model sees them: augmented, then preprocessed, float32; of a frozen body, its features."""
        seen = self.preprocessing.apply(augment(self.augmentations, images, numbers))
        return seen if self.frozen is None else self.frozen(seen, training=False)

    def with_partner(self, batch: Any) -> Any:
        """A global batch of images, labels or numbers, with its first once more at its end where images are mixed."""
        import tensorflow as tf

        return tf.concat([batch, batch[:1]], axis=0) if mixes(self.augmentations) else batch

    def gradients(self, images: Any, labels: Any, numbers: Any, step: Any) -> list[Any]:
        """The gradients of one step, in the order of the trainable variables; the model is left as it was."""
        shares = [self._cut(array) for array in (images, labels, numbers)]
        *_, gradients, moving = self.strategy.run(self.forward_backward, args=(*shares, step))
        self.strategy.run(self._put_back, args=(moving,))
        return [self._first(gradient) for gradient in gradients]

    def _train(self, images: Any, labels: Any, numbers: Any, learning_rates: Any, first: Any) -> tuple[Any, ...]:
        import tensorflow as tf

        steps, updates, finite = tf.constant(0), tf.constant(0), tf.constant(True)
        total, correct = tf.constant(0.0), tf.constant(0.0)
        for i in tf.range(tf.shape(learning_rates)[0]):
            self.optimizer.learning_rate.assign(learning_rates[i])
            shares = [self._cut(array[i]) for array in (images, labels, numbers)]
            loss, right, is_finite, gradients, moving = self.strategy.run(
                self.forward_backward, args=(*shares, first + tf.cast(i, tf.int64))
            )
            if self._first(is_finite):
                self.strategy.run(self._apply, args=(gradients,))
                updates, total, correct = updates + 1, total + self._first(loss), correct + self._first(right)
            else:
                self.strategy.run(self._put_back, args=(moving,))
            finite = self.scale.goes_on(self._first(is_finite))
            if not finite:
                break
            steps += 1
        return steps, updates, total, correct, finite

    def _apply(self, gradients: list[Any]) -> None:
        replicas = self.strategy.num_replicas_in_sync
        if replicas > 1:
            # Keras sums the gradients over the replicas once more; they are already sums.
            gradients = [gradient / replicas for gradient in gradients]
        self.optimizer.apply(gradients, self.model.trainable_variables)
        if self.average is not None:
            self.average.update()

    def _moving(self) -> list[Any]:
        """What the forward pass itself changes: the moving statistics of batch normalisation."""
        return [variable for layer in self.model._flatten_layers() for variable in layer._non_trainable_variables]

    def _is_finite(self, loss: Any, norm: Any) -> Any:
        """Whether loss, gradients and moving statistics are: a variance may overflow where the loss does not."""
        import tensorflow as tf

        sound = [tf.reduce_all(tf.math.is_finite(one.value)) for one in self._moving() if one.dtype == "float32"]
        return tf.reduce_all(tf.stack([tf.math.is_finite(loss), tf.math.is_finite(norm), *sound]))

    def _put_back(self, moving: list[Any]) -> None:
        # The forward pass of a step that is not finite has already spoilt the moving statistics.
        for variable, value in zip(self._moving(), moving, strict=True):
            variable.assign(value)

    def _clip(self, gradients: list[Any]) -> tuple[list[Any], Any]:
        import tensorflow as tf

        norm = tf.linalg.global_norm(gradients)
        if self.stage.clip_norm is not None:
            gradients = [gradient * tf.minimum(1.0, self.stage.clip_norm / (norm + 1e-12)) for gradient in gradients]
        if self.stage.clip_value is not None:
            limit = self.stage.clip_value
            gradients = [tf.clip_by_value(gradient, -limit, limit) for gradient in gradients]
        return gradients, norm

    def _mixed(self, labels: Any, numbers: Any, images: Any) -> tuple[Any, Mix | None]:
        """The labels of a replica's images, and where they are mixed, their partners' labels and the shares."""
        if not mixes(self.augmentations):
            return labels, None
        own = own_shares(self.augmentations, numbers, *images.shape[1:3])
        return labels[:-1], Mix(labels[1:], own)

    def _cut(self, batch: Any) -> Any:
        """The global batch cut over the replicas, by position.

        Where images are mixed, each replica's share is followed by the first of the next one's: a partner.
        """
        replicas, share = self.strategy.num_replicas_in_sync, batch.shape[0] // self.strategy.num_replicas_in_sync
        whole = self.with_partner(batch)
        if replicas == 1:
            return whole
        partner = whole.shape[0] - batch.shape[0]
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: whole[
                context.replica_id_in_sync_group * share : (context.replica_id_in_sync_group + 1) * share + partner
            ]
        )

    def _first(self, value: Any) -> Any:
        return self.strategy.experimental_local_results(value)[0]


def _as_list(outputs: Any) -> Sequence[Any]:
    return outputs if isinstance(outputs, (list, tuple)) else [outputs]
