"""Shares drawn from a beta distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def beta(alpha: float, numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Numbers uniform in [0, 1) as numbers of Beta(alpha, alpha) in [0, 1]: same shape, by the inverse distribution."""
    import numpy as np
    from scipy.special import betaincinv

    shares: NDArray[np.float32] = betaincinv(alpha, alpha, numbers.astype(np.float64)).astype(np.float32)
    return shares
