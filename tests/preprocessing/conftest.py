"""Images whose pixels hang together, as those of photographs do."""

from __future__ import annotations

import numpy as np
import pytest

SHAPE = (6, 5, 3)


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """400 images, uint8 (400, 6, 5, 3), of three channels with different means and deviations."""
    numbers = np.random.default_rng(0)
    rough = numbers.normal(size=(400, 3, 5, 3)).repeat(2, axis=1)
    fine = numbers.normal(size=(400, *SHAPE))
    pixels = np.array([90, 120, 160]) + np.array([15, 25, 20]) * (rough + 0.4 * fine)
    return pixels.clip(0, 255).round().astype(np.uint8)
