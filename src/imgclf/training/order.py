"""The order of the training images: a function of (seed, epoch), and of nothing that went before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Order:
    """Which images each step trains on: another permutation every epoch, without its last partial batch."""

    def __init__(self, images: int, batch: int, seed: int) -> None:
        self.steps = images // batch
        self._images, self._batch, self._seed = images, batch, seed
        self._epoch, self._permutation = -1, np.empty(0, np.int64)

    def indices(self, epoch: int, step: int, steps: int = 1) -> NDArray[np.int64]:
        """Positions of the images of ``steps`` steps from ``step`` of ``epoch`` on: int64 (steps * batch,)."""
        if epoch != self._epoch:
            stream = np.random.Generator(np.random.Philox(key=[self._seed, epoch]))
            self._permutation = stream.permutation(self._images)
            self._epoch = epoch
        taken: NDArray[np.int64] = self._permutation[step * self._batch : (step + steps) * self._batch]
        return taken
