"""How numbers of several runs scatter: what a summary holds for each metric."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import inf, sqrt
from typing import Any

import numpy as np

_SCALARS = ("accuracy", "exact_match_ratio", "loss", "calibration_error")
_GROUPS = ("top_k", "macro_average", "weighted_average", "binary")
CONFIDENCE = 0.95


def spread(values: Sequence[float], most: float = 1.0) -> dict[str, Any]:
    """n, mean, standard deviation (n - 1), minimum, maximum, and Student's 95 % interval of the mean.

    Values lie from 0 to ``most``, and so does their true mean: the interval is cut there, which takes nothing from its
    coverage (Mandelkern, 2002, Setting Confidence Intervals for Bounded Parameters, Statistical Science 17). Deviation
    and interval are None for a single value. Raises ValueError where there is no value.
    """
    if not values:
        raise ValueError("a spread needs at least one value")
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {
        "n": len(values),
        "mean": mean,
        "standard_deviation": deviation,
        "minimum": float(min(values)),
        "maximum": float(max(values)),
        "interval": None if deviation is None else _interval(mean, deviation, len(values), most),
    }


def spreads(rows: Sequence[Mapping[str, float]], endless: Collection[str] = ("loss",)) -> dict[str, dict[str, Any]]:
    """The spread of each figure over the rows that have it, in the order in which they come up.

    Figures lie from 0 to 1, those in ``endless`` from 0 on.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: spread([row[name] for row in rows if name in row], inf if name in endless else 1.0) for name in names}


def figures(report: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of a report, or of one target's, by dotted name: ``accuracy``, ``top_k.3``, ``macro_average.f1``.

    What is told of single classes, bins and intervals is left out, and what is None.
    """
    plain = {name: float(report[name]) for name in _SCALARS if name in report}
    return plain | dict(_numbers({name: report[name] for name in _GROUPS if name in report}, ""))


def _numbers(values: Mapping[str, Any], before: str) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{before}{name}.")
        elif isinstance(value, int | float):
            yield before + name, float(value)


def _interval(mean: float, deviation: float, count: int, most: float) -> list[float]:
    from scipy.stats import t

    half = float(t.ppf((1 + CONFIDENCE) / 2, count - 1)) * deviation / sqrt(count)
    return [max(0.0, mean - half), min(most, mean + half)]
