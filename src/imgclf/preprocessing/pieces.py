"""Training images as numbers, a piece at a time: what is fitted on them never has all of them in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from imgclf.settings import ImageShape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PIECE_NUMBERS = 2**21  # 16 MiB of float64


class Takes(Protocol):
    """Images that are taken by index."""

    def __len__(self) -> int: ...

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Pieces:
    """``count`` of the images of ``pixels``, evenly spread (all where there are no more), after ``before``.

    Iterating gives arrays float64 (images, height, width, channels), and does so anew each time. ``image_shape`` is
    that of the pixels as they are taken; ``report(done, total)`` is told how far it is.
    """

    pixels: Takes
    image_shape: ImageShape
    before: Callable[[Any], Any]
    count: int
    report: Callable[[int, int], None]

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        import math

        import numpy as np

        positions = np.linspace(0, len(self.pixels) - 1, self.count).astype(np.int64)
        size = max(1, PIECE_NUMBERS // math.prod(self.image_shape))
        for first in range(0, self.count, size):
            images = self.pixels.take(positions[first : first + size])
            yield np.asarray(self.before(images), np.float64)
            self.report(min(first + size, self.count), self.count)
