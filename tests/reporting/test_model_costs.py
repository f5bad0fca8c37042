from __future__ import annotations

import cv2
import numpy as np

from imgclf.reporting.model_costs import ModelPoint, draw_models


def coloured_pixels(png: bytes) -> int:
    """How many pixels are neither grey nor white."""
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR).astype(int)
    return int((image.max(axis=2) - image.min(axis=2) > 20).sum())


def test_models_far_apart_with_and_without_an_interval_are_drawn() -> None:
    points = [
        ModelPoint("small", 0.0002, 0.9, (0.88, 0.92), 20_000),
        ModelPoint("large {filters: [$5$, 8]}" * 9, 0.05, 0.99, None, 90_000_000),
    ]
    assert coloured_pixels(draw_models(points)) > 1000
    assert draw_models(points) == draw_models(points)


def test_the_area_of_a_marker_is_the_size_of_the_model() -> None:
    def drawn(size: int) -> int:
        return coloured_pixels(
            draw_models([ModelPoint("a", 0.001, 0.9, None, size), ModelPoint("b", 0.005, 0.5, None, 10**6)])
        )

    nothing = drawn(0)
    quarter, half = drawn(250_000) - nothing, drawn(500_000) - nothing
    assert abs(half - 2 * quarter) < 0.1 * half


def test_one_model_is_drawn() -> None:
    assert draw_models([ModelPoint("one", 0.001, 1.0, (0.9, 1.0), 1)]).startswith(b"\x89PNG")
