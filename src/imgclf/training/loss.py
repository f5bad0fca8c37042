"""The loss of a batch: cross-entropy over the targets, with class weights and label smoothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from imgclf.settings import NonNegative, Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class CrossEntropy(Settings):
    """-log(p), where p is the probability of the true class."""

    name: Literal["cross_entropy"] = Field(description="The negative logarithm of the true class's probability.")

    def focus(self, losses: Any) -> Any:
        """The losses themselves."""
        return losses


class Focal(Settings):
    """-(1 - p)^gamma log(p): images that are answered well already count less (Lin et al., 2017, equation 4)."""

    name: Literal["focal"] = Field(description="Cross-entropy in which images that are answered well count less.")
    gamma: NonNegative = Field(2.0, description="How much less: the power of one minus the probability. 0: not at all.")

    def focus(self, losses: Any) -> Any:
        """The focal losses of images, given their cross-entropy (batch,)."""
        import tensorflow as tf

        # -expm1 keeps the digits of 1 - p where p is nearly 1; the power's gradient there needs a base above 0.
        return tf.pow(tf.maximum(-tf.math.expm1(-losses), 1e-7), self.gamma) * losses


LossUnion = Annotated[CrossEntropy | Focal, Field(discriminator="name")]
CROSS_ENTROPY = CrossEntropy(name="cross_entropy")


@dataclass(frozen=True)
class Mix:
    """Images that are mixed of two.

    ``partners``: the labels of the second, (batch, targets); ``own``: the share of the first, float32 (batch,).
    """

    partners: Any
    own: Any

    def greater(self, labels: Any) -> Any:
        """The label of the greater share, given those of the first: (batch, targets)."""
        import tensorflow as tf

        return tf.where(self.own[:, None] >= 0.5, labels, self.partners)


@dataclass(frozen=True)
class Loss:
    """Cross-entropy of logits and integer labels.

    ``weights`` holds, for each target, float32 (classes,) or None. As in Keras, weights multiply each image's loss and
    the mean is over the images, not over the weights.
    """

    label_smoothing: float
    weights: tuple[NDArray[np.float32] | None, ...]
    kind: CrossEntropy | Focal = CROSS_ENTROPY

    def __call__(self, logits: Sequence[Any], labels: Any, mix: Mix | None = None) -> Any:
        """Mean over the batch of the sum over the targets; logits: (batch, classes) each, labels: (batch, targets)."""
        import tensorflow as tf

        losses = self._images(logits, labels)
        if mix is not None:
            losses = mix.own * losses + (1 - mix.own) * self._images(logits, mix.partners)
        return tf.reduce_mean(losses)

    def _images(self, logits: Sequence[Any], labels: Any) -> Any:
        import tensorflow as tf

        return tf.add_n([self._target(one, labels[:, i], self.weights[i]) for i, one in enumerate(logits)])

    def _target(self, logits: Any, labels: Any, weights: NDArray[np.float32] | None) -> Any:
        import tensorflow as tf

        losses = self.kind.focus(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        if self.label_smoothing:
            spread = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=-1)
            losses = (1 - self.label_smoothing) * losses + self.label_smoothing * spread
        return losses if weights is None else losses * tf.gather(tf.constant(weights), labels)
