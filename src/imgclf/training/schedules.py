"""How the learning rate changes during a stage: by the position in it, or by what validation shows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

from pydantic import Field, model_validator

from imgclf.errors import ImgclfError
from imgclf.settings import Count, Misfit, NonNegative, Positive, Settings
from imgclf.training.monitors import Mode, Monitor, direction, improves, monitored, worst

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Share = Annotated[float, Field(ge=0, le=1)]
Reduction = Annotated[float, Field(gt=0, lt=1)]


class RunningSchedule(Protocol):
    """A schedule while a stage runs."""

    def learning_rates(
        self, base: float, first_step: int, count: int, steps_per_epoch: int, total_steps: int
    ) -> NDArray[np.float32]:
        """Learning rates (count,) of the steps from ``first_step`` on; steps count from 0 at the stage's start."""

    def observe(self, metrics: dict[str, float]) -> None:
        """Take in one validation."""

    def state(self) -> dict[str, float]:
        """All that a later ``restore`` needs, as numbers."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""


@dataclass(frozen=True)
class Position:
    """Steps (any shape) counted from 0 at a stage's start, in epochs and a stage of so many steps."""

    steps: NDArray[np.float64]
    steps_per_epoch: int
    total_steps: int


class PositionSchedule(Settings):
    """The section ``training.schedule`` where the learning rate is a function of the step alone."""

    follows_length: ClassVar[bool] = False  # whether a longer stage has other learning rates from its start
    name: str

    def learning_rates(
        self, base: float, first_step: int, count: int, steps_per_epoch: int, total_steps: int
    ) -> NDArray[np.float32]:
        """Learning rates (count,) of the steps from ``first_step`` on; steps count from 0 at the stage's start."""
        import numpy as np

        steps = np.arange(first_step, first_step + count, dtype=np.float64)
        return (base * self.multipliers(Position(steps, steps_per_epoch, total_steps))).astype(np.float32)

    @abstractmethod
    def multipliers(self, at: Position) -> NDArray[np.float64]:
        """What the base learning rate is multiplied by at each step of ``at``."""

    def start(self) -> RunningSchedule:
        """The schedule at the start of a stage."""
        return RunningByPosition(self)


class Constant(PositionSchedule):
    """One learning rate throughout."""

    name: Literal["constant"] = Field(description="The same learning rate throughout.")

    def multipliers(self, at: Position) -> NDArray[np.float64]:
        import numpy as np

        return np.ones_like(at.steps)


class Step(PositionSchedule):
    """A drop after every so many epochs, or after the listed ones."""

    name: Literal["step"] = Field(description="Drops at the end of certain epochs.")
    factor: Reduction = Field(0.1, description="What each drop multiplies the learning rate by.")
    every_epochs: Count | None = Field(None, description="Drop each time after this many epochs.")
    at_epochs: tuple[Count, ...] | None = Field(None, description="Drop after these epochs, ascending.")

    @model_validator(mode="after")
    def _one_rule(self) -> Step:
        if (self.every_epochs is None) == (self.at_epochs is None):
            raise Misfit((), "give every_epochs or at_epochs, one of them")
        if self.at_epochs is not None and (not self.at_epochs or list(self.at_epochs) != sorted(set(self.at_epochs))):
            raise Misfit(("at_epochs",), f"must be one or more epochs in ascending order; got {list(self.at_epochs)}")
        return self

    def multipliers(self, at: Position) -> NDArray[np.float64]:
        import numpy as np

        epochs = at.steps // at.steps_per_epoch
        if self.at_epochs is not None:
            drops = np.searchsorted(self.at_epochs, epochs, side="right").astype(np.float64)
        else:
            drops = epochs // (self.every_epochs or 1)
        return self.factor**drops


class Exponential(PositionSchedule):
    """factor to the power of epochs gone by / ``epochs``, changing with every step."""

    name: Literal["exponential"] = Field(description="Falls by the same factor over the same time, smoothly.")
    factor: Reduction = Field(0.95, description="What the learning rate is multiplied by over `epochs`.")
    epochs: Positive = Field(1.0, description="Epochs over which it falls by `factor`.")

    def multipliers(self, at: Position) -> NDArray[np.float64]:
        return self.factor ** (at.steps / (self.epochs * at.steps_per_epoch))


class InverseTime(PositionSchedule):
    """1 / (1 + rate * step / steps): with ``steps`` 1 the ``decay`` of Keras 2's optimizers."""

    name: Literal["inverse_time"] = Field(description="Falls as 1 / (1 + rate * step / steps).")
    rate: NonNegative = Field(description="How fast it falls.")
    steps: Count = Field(1, description="Steps in which 1 + rate is reached. 1: `rate` is Keras 2's `decay`.")

    def multipliers(self, at: Position) -> NDArray[np.float64]:
        return 1 / (1 + self.rate * at.steps / self.steps)


class Cosine(PositionSchedule):
    """A linear rise from 0, then half a cosine down to the stage's end (Loshchilov and Hutter, 2017)."""

    follows_length: ClassVar[bool] = True
    name: Literal["cosine"] = Field(description="Warm-up, then half a cosine down to the end.")
    warmup_epochs: NonNegative = Field(0.0, description="Epochs of linear rise from 0; need not be whole.")
    final_fraction: Share = Field(0.0, description="Share of the learning rate that the end comes down to.")

    def multipliers(self, at: Position) -> NDArray[np.float64]:
        import numpy as np

        if message := self.warmup_problem(at.total_steps / at.steps_per_epoch, at.steps_per_epoch):
            raise ImgclfError(
                f"training.schedule.warmup_epochs: {message}", hint="train longer, or shorten the warm-up."
            )
        warmup = self._warmup_steps(at.steps_per_epoch)
        fall = np.clip((at.steps - warmup) / (at.total_steps - warmup), 0, 1)
        return np.where(at.steps < warmup, at.steps / max(warmup, 1), _cosine(1.0, self.final_fraction, fall))

    def warmup_problem(self, epochs: float, steps_per_epoch: int | None = None) -> str | None:
        """Why the warm-up does not fit into a stage of ``epochs``, or None where it does.

        It ends with a whole step; ``steps_per_epoch`` is None as long as the data has not been read.
        """
        end = self._warmup_steps(steps_per_epoch) / steps_per_epoch if steps_per_epoch else self.warmup_epochs
        if end < epochs:
            return None
        return f"must end before the stage does, after {epochs:g} epochs; got {self.warmup_epochs:g}"

    def _warmup_steps(self, steps_per_epoch: int) -> int:
        return round(self.warmup_epochs * steps_per_epoch)


class OneCycle(PositionSchedule):
    """A rise to the optimizer's learning rate and a fall to the stage's end (Smith and Topin, 2018)."""

    follows_length: ClassVar[bool] = True
    name: Literal["one_cycle"] = Field(description="Rises to the optimizer's learning rate, then falls to the end.")
    peak_fraction: Reduction = Field(0.3, description="Share of the stage after which the peak is reached.")
    start_fraction: Share = Field(0.04, description="Share of the peak that the stage starts from.")
    final_fraction: Share = Field(0.0, description="Share of the peak that the end comes down to.")
    anneal: Literal["cosine", "linear"] = Field("cosine", description="Shape of rise and fall.")

    def multipliers(self, at: Position) -> NDArray[np.float64]:
        import numpy as np

        peak = self.peak_fraction * at.total_steps
        between = _cosine if self.anneal == "cosine" else _linear
        rise = between(self.start_fraction, 1.0, np.clip(at.steps / peak, 0, 1))
        fall = between(1.0, self.final_fraction, np.clip((at.steps - peak) / (at.total_steps - peak), 0, 1))
        return np.where(at.steps < peak, rise, fall)


class ReduceOnPlateau(Settings):
    """A drop when a metric has stopped improving, with the semantics and defaults of Keras' ReduceLROnPlateau."""

    follows_length: ClassVar[bool] = False
    name: Literal["reduce_on_plateau"] = Field(description="Drops when a metric has stopped improving.")
    monitor: Monitor = Field("validation_loss", description="The metric that must go on improving.")
    mode: Mode = Field("auto", description="Whether the metric should fall (min) or rise (max). auto: loss falls.")
    factor: Reduction = Field(0.1, description="What each drop multiplies the learning rate by.")
    patience: Count = Field(10, description="Drop after this many validations in a row without improvement.")
    min_delta: NonNegative = Field(1e-4, description="Only a change larger than this counts as an improvement.")
    cooldown: Annotated[int, Field(ge=0)] = Field(0, description="Validations after a drop in which patience rests.")
    minimum: NonNegative = Field(0.0, description="Learning rate below which no drop goes.")

    def start(self) -> RunningSchedule:
        """The schedule at the start of a stage."""
        return RunningPlateau(self)


ScheduleUnion = Annotated[
    Constant | Step | Exponential | InverseTime | Cosine | OneCycle | ReduceOnPlateau,
    Field(discriminator="name"),
]


class RunningByPosition:
    """A schedule that has no state."""

    def __init__(self, settings: PositionSchedule) -> None:
        self.learning_rates = settings.learning_rates

    def observe(self, metrics: dict[str, float]) -> None:
        """Nothing that is measured changes the learning rate."""

    def state(self) -> dict[str, float]:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""


class RunningPlateau:
    """Reduce-on-plateau while a stage runs; ``multiplier`` is what the drops so far have made of 1."""

    def __init__(self, settings: ReduceOnPlateau) -> None:
        self.settings = settings
        self.direction = direction(settings.monitor, settings.mode)
        self.multiplier = 1.0
        self._best = worst(self.direction)
        self._wait = 0
        self._cooldown = 0

    def learning_rates(
        self,
        base: float,
        first_step: int,  # noqa: ARG002 - the three that RunningSchedule gives and a plateau does not ask for
        count: int,
        steps_per_epoch: int,  # noqa: ARG002
        total_steps: int,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        """The present learning rate, ``count`` times; never below ``minimum`` unless ``base`` is."""
        import numpy as np

        return np.full(count, max(base * self.multiplier, min(base, self.settings.minimum)), np.float32)

    def observe(self, metrics: dict[str, float]) -> None:
        """Take in one validation. Raises ImgclfError where the monitored metric is not among ``metrics``."""
        self.update(monitored(metrics, self.settings.monitor, "training.schedule"))

    def update(self, value: float) -> None:
        """Take in the monitored metric's next value."""
        if self._cooldown > 0:
            self._cooldown, self._wait = self._cooldown - 1, 0
        if improves(value, self._best, self.direction, self.settings.min_delta):
            self._best, self._wait = value, 0
        elif self._cooldown == 0:
            self._wait += 1
            if self._wait >= self.settings.patience:
                self.multiplier *= self.settings.factor
                self._cooldown, self._wait = self.settings.cooldown, 0

    def state(self) -> dict[str, float]:
        """All that a later ``restore`` needs. ``best`` is infinite before the first value."""
        return {"multiplier": self.multiplier, "best": self._best, "wait": self._wait, "cooldown": self._cooldown}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``."""
        self.multiplier, self._best = float(state["multiplier"]), float(state["best"])
        self._wait, self._cooldown = int(state["wait"]), int(state["cooldown"])


def _linear(start: float, end: float, share: NDArray[np.float64]) -> NDArray[np.float64]:
    return start + (end - start) * share


def _cosine(start: float, end: float, share: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    return end + (start - end) * (1 + np.cos(np.pi * share)) / 2
