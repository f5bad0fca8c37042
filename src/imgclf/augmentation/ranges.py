"""Factors that are drawn from a range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from imgclf.settings import Positive

if TYPE_CHECKING:
    import tensorflow as tf


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"must be the least and the greatest, in this order; got {list(bounds)}")
    return bounds


Bounds = Annotated[tuple[Positive, Positive], AfterValidator(_ascending)]
FactorRange = Annotated[float, Field(gt=0, lt=1)] | Bounds


def bounds(factors: float | tuple[float, float]) -> tuple[float, float]:
    """The least and the greatest factor; 0.3 means 0.7 to 1.3."""
    return factors if isinstance(factors, tuple) else (1 - factors, 1 + factors)


def between(numbers: tf.Tensor, least: float, greatest: float) -> tf.Tensor:
    """Numbers in [0, 1) stretched over a range; same shape."""
    return least + numbers * (greatest - least)
