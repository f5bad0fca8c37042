"""Early stopping, with the semantics of Keras' EarlyStopping."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from imgclf.settings import Misfit, NonNegative, Settings
from imgclf.training.monitors import Mode, Monitor, direction, improves, monitored, worst


class EarlyStoppingSettings(Settings):
    """The part ``training.early_stopping``: when to stop before the end, and which weights to keep."""

    monitor: Monitor = Field("validation_loss", description="The metric that must go on improving.")
    min_delta: NonNegative = Field(0.0, description="Only a change larger than this counts as an improvement.")
    patience: Annotated[int, Field(ge=0)] = Field(
        3, description="Stop after this many validations in a row without improvement. 0 is the same as 1."
    )
    mode: Mode = Field("auto", description="Whether the metric should fall (min) or rise (max). auto: loss falls.")
    baseline: float | None = Field(
        None,
        description="Value that the metric must beat as well: until then, improvements don't restart the patience. "
        "Needs `monitor`.",
    )
    restore_best_weights: bool = Field(True, description="Go back to the weights of the best validation at the end.")
    start_from_epoch: Annotated[int, Field(ge=0)] = Field(0, description="Ignore this many epochs at the start.")

    @model_validator(mode="after")
    def _baseline_fits(self) -> EarlyStoppingSettings:
        if self.baseline is None:
            return self
        if "monitor" not in self.model_fields_set:
            message = "baseline needs monitor: a baseline is a value of one metric"
            raise Misfit(("baseline",), message, others=(("monitor",),))
        if self.monitor.endswith("accuracy") and not 0 <= self.baseline <= 1:
            raise Misfit(("baseline",), f"a baseline of {self.monitor} must lie from 0 to 1; got {self.baseline:g}")
        if self.monitor.endswith("loss") and self.baseline < 0:
            raise Misfit(("baseline",), f"a baseline of {self.monitor} must be 0 or more; got {self.baseline:g}")
        return self


class EarlyStopping:
    """Watches one metric: ``improved`` tells of the latest validation, ``stop`` whether patience is at its end."""

    def __init__(self, settings: EarlyStoppingSettings) -> None:
        self.settings = settings
        self.direction = direction(settings.monitor, settings.mode)
        self.stop = False
        self.improved = False
        self._best = worst(self.direction)
        self._wait = 0
        self._updates = 0

    @property
    def best(self) -> float | None:
        """The best value so far; None before the first that counts."""
        return self._best if math.isfinite(self._best) else None

    def update(self, metrics: dict[str, float], epoch: int | None = None) -> None:
        """Take in one validation. ``epoch`` counts from 0; left out, each update is taken for an epoch.

        Raises ImgclfError where the monitored metric is not among ``metrics``.
        """
        epoch = self._updates if epoch is None else epoch
        self._updates += 1
        self.improved = False
        if epoch < self.settings.start_from_epoch:
            return
        value = monitored(metrics, self.settings.monitor, "training.early_stopping")
        self._wait += 1
        if self._improves(value, self._best):
            self._best, self.improved = value, True
            # Improving on the best alone is no reason to wait longer: the baseline must be beaten too.
            if self.settings.baseline is None or self._improves(value, self.settings.baseline):
                self._wait = 0
        elif self._wait >= self.settings.patience and epoch > 0:
            self.stop = True

    def reason(self) -> str:
        """Why training stops, for the user."""
        validations = "1 validation" if self._wait == 1 else f"{self._wait} validations"
        if self.best is None:
            return f"{self.settings.monitor} had no value in {validations}"
        baseline = self.settings.baseline
        if baseline is not None and not self._improves(self.best, baseline):
            return (
                f"{self.settings.monitor} did not reach the baseline {baseline:g} in {validations} (best {self.best:g})"
            )
        return f"{self.settings.monitor} did not improve on {self.best:g} in {validations}"

    def state(self) -> dict[str, float]:
        """All that a later ``restore`` needs, as numbers. ``best`` is infinite before the first value that counts."""
        return {
            "best": self._best,
            "wait": self._wait,
            "updates": self._updates,
            "improved": self.improved,
            "stop": self.stop,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""
        self._best, self._wait, self._updates = float(state["best"]), int(state["wait"]), int(state["updates"])
        self.improved, self.stop = bool(state["improved"]), bool(state["stop"])

    def _improves(self, value: float, reference: float) -> bool:
        return improves(value, reference, self.direction, self.settings.min_delta)
