"""What a run's history says about its fit, in words: what was seen, and what to try next.

The rules, in their order; "late" is the last third of the rows with validation, at least three:

1. No row has a validation accuracy: ``no validation``. Fewer than five have one: ``too short to tell``.
2. ``overfits``: late validation loss lies 10 % above its lowest before, and late training accuracy at least 0.02
   above validation accuracy, and further than what so few validation images leave open.
3. ``still improving``: late validation accuracy rises (least-squares line, over the whole of the late rows) by 5 % of
   the error that is left, by at least 0.002, and by more than what so few validation images leave open, and late
   validation loss neither rises nor lies 10 % above its lowest before. Not of a run that stopped early: it has found
   its end.
4. ``overfits``: late training accuracy lies at least 0.05 above validation accuracy, and further than what so few
   validation images leave open.
5. ``underfits``: late training accuracy has come less than 70 % of the way from chance to 1.
6. ``fits``: none of these.

What the number of validation images leaves open is half of Wilson's 95 % interval of the late validation accuracy.
Chance is the accuracy of always answering the most frequent class.

Training accuracy is measured during the epoch, with dropout and augmentation on and while the weights still change,
so it lags: a gap below zero is normal, and is no sign of anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imgclf.evaluation.metrics import wilson_interval

Kind = Literal[
    "underfits", "overfits", "still improving", "fits", "no validation", "too short to tell", "fitted at once"
]

FEWEST_ROWS = 5
LOSS_ABOVE_LOWEST = 0.10
SMALL_GAP = 0.02
LARGE_GAP = 0.05
LEAST_RISE = 0.002
RISE_OF_ERROR = 0.05
SKILL_OF_A_FIT = 0.7
SKILL_OF_NOTHING = 0.05

_ADVICE: dict[Kind, tuple[str, ...]] = {
    "no validation": ("Set dataset.validation_size (for example 0.1), so that the run is judged on unseen images.",),
    "too short to tell": (
        f"Train for at least {FEWEST_ROWS} epochs ({{length}}), or validate more often within them.",
    ),
    "still improving": (
        "Train longer: raise {length}.",
        "With {early_stopping} (restore_best_weights: true), a generous number of epochs costs no accuracy.",
    ),
    "overfits": (
        "Add images by augmentation, or use more training data.",
        "Regularise: raise the model's dropout (its keys: `imgclf models show`), or make the model smaller.",
        "Stop at the best epoch: {early_stopping} with restore_best_weights: true.",
    ),
    "underfits": (
        "Use a larger model, or one of another family (`imgclf models list`).",
        "Try another {learning_rate}: three times as large, and a third.",
        "Lower the model's dropout and take out augmentation until the training accuracy rises.",
    ),
    "fits": (
        "Nothing stands out. For more accuracy, try a larger model together with augmentation and a higher {length}.",
    ),
}

# What advice calls the settings of a run; in one of several stages they have other keys.
KEYS: Mapping[str, str] = {
    "length": "training.epochs",
    "learning_rate": "training.optimizer.learning_rate",
    "early_stopping": "training.early_stopping",
}


@dataclass(frozen=True)
class Diagnosis:
    """The kind, what was seen (sentences with the numbers), and what to try (short advice, most promising first)."""

    kind: Kind
    seen: tuple[str, ...]
    advice: tuple[str, ...]


@dataclass(frozen=True)
class _Late:
    """The end of a run in numbers; what was not recorded is None."""

    validation: float
    training: float | None
    rise: float
    loss_rise: float | None
    loss_above_lowest: float | None
    skill: float
    half_interval: float

    @property
    def gap(self) -> float | None:
        return None if self.training is None else self.training - self.validation


def diagnose(
    history: list[dict[str, Any]],
    chance: float,
    validation_images: int,
    *,
    stopped_early: bool = False,
    keys: Mapping[str, str] = KEYS,
) -> Diagnosis:
    """What the rows of a run (epoch, loss, accuracy, validation_loss, validation_accuracy) say about its fit.

    ``chance`` is the accuracy of guessing, 0 to 1 (see ``chance_of``). What was not measured in a row is None or NaN.
    ``stopped_early``: early stopping ended the run. ``keys`` are those that advice is to name, as KEYS has them.
    """
    validated = [row for row in history if _is_measured(row, "validation_accuracy")]
    if not validated:
        return Diagnosis("no validation", _training_seen(history), _with_keys(_ADVICE["no validation"], keys))
    if len(validated) < FEWEST_ROWS:
        seen = f"Validation accuracy was measured {_times(len(validated))}, last {_last(validated)}."
        return Diagnosis("too short to tell", (seen,), _with_keys(_ADVICE["too short to tell"], keys))
    late = _late(validated, chance, validation_images)
    kind = _kind(late, stopped_early)
    return Diagnosis(kind, _seen(late, chance, validation_images), _with_keys(_advice(kind, late), keys))


def chance_of(labels: NDArray[np.integer]) -> float:
    """The accuracy of answering always the most frequent class: labels (images, targets), a mean over the targets."""
    return float(np.mean([np.bincount(column).max() / len(column) for column in labels.T]))


def of_a_fit_at_once(row: dict[str, Any]) -> Diagnosis:
    """What the one row says of a head that has no epochs."""
    seen = "The head was fitted at once, without epochs and so without curves; accuracy on the training images is "
    seen += f"{row['accuracy']:.3f}"
    validation = row.get("validation_accuracy")
    seen += "" if validation is None else f", on the validation images {validation:.3f}"
    return Diagnosis("fitted at once", (f"{seen}.",), ())


def _kind(late: _Late, stopped_early: bool) -> Kind:
    gap, is_past_lowest = late.gap or 0.0, (late.loss_above_lowest or 0.0) >= LOSS_ABOVE_LOWEST
    if is_past_lowest and gap >= max(SMALL_GAP, late.half_interval):
        return "overfits"
    least = max(LEAST_RISE, RISE_OF_ERROR * (1 - late.validation), late.half_interval)
    rises = late.rise >= least and (late.loss_rise or 0.0) <= 0
    if rises and not is_past_lowest and not stopped_early:
        return "still improving"
    if gap >= max(LARGE_GAP, late.half_interval):
        return "overfits"
    return "underfits" if late.skill < SKILL_OF_A_FIT else "fits"


def _late(rows: list[dict[str, Any]], chance: float, validation_images: int) -> _Late:
    late = rows[-max(3, len(rows) // 3) :]
    validation, training = _values(late, "validation_accuracy"), _values(late, "accuracy")
    losses = _values(late, "validation_loss")
    lowest = min(_values(rows[: -len(late)], "validation_loss"), default=0.0)
    level = float(np.mean(training or validation))
    low, high = wilson_interval(float(np.mean(validation)) * validation_images, validation_images)
    return _Late(
        validation=float(np.mean(validation)),
        training=float(np.mean(training)) if training else None,
        rise=_rise(validation),
        loss_rise=_rise(losses) if losses else None,
        loss_above_lowest=float(np.mean(losses)) / lowest - 1 if losses and lowest > 0 else None,
        skill=(level - chance) / (1 - chance) if chance < 1 else 1.0,
        half_interval=(high - low) / 2,
    )


def _values(rows: list[dict[str, Any]], key: str) -> list[float]:
    return [float(row[key]) for row in rows if _is_measured(row, key)]


def _is_measured(row: dict[str, Any], key: str) -> bool:
    value = row.get(key)
    return value is not None and not math.isnan(value)


def _rise(values: list[float]) -> float:
    """How much the least-squares line through the values rises from the first to the last."""
    places = np.arange(len(values)) - (len(values) - 1) / 2
    spread = float(np.sum(places**2))
    return float(np.sum(places * np.array(values))) / spread * (len(values) - 1) if spread else 0.0


def _seen(late: _Late, chance: float, validation_images: int) -> tuple[str, ...]:
    accuracy = f"Over the last third of the run, validation accuracy was {late.validation:.3f} on average"
    if late.training is not None:
        accuracy += f", training accuracy {late.training:.3f} (gap {late.gap:+.3f})"
    sentences = [f"{accuracy}; the most frequent class alone would reach {chance:.3f}."]
    if late.gap is not None and late.gap < 0:
        sentences.append(
            "Training accuracy below validation is normal: it is measured during the epoch, with dropout and "
            "augmentation on."
        )
    sentences.append(f"Over that third, validation accuracy changed by {late.rise:+.4f}{_loss_seen(late)}.")
    sentences.append(
        f"On {validation_images:,} validation images accuracy is known to about {late.half_interval:.3f}; "
        "smaller differences mean nothing."
    )
    return tuple(sentences)


def _loss_seen(late: _Late) -> str:
    change = "" if late.loss_rise is None else f" and validation loss by {late.loss_rise:+.4f}"
    if (late.loss_above_lowest or 0.0) >= LOSS_ABOVE_LOWEST:
        change += f"; the loss lay {late.loss_above_lowest:.0%} above its lowest before"
    return change


def _advice(kind: Kind, late: _Late) -> tuple[str, ...]:
    if kind == "underfits" and late.skill < SKILL_OF_NOTHING:
        return (
            "The model learned next to nothing: try {learning_rate} ten times smaller, then larger.",
            *_ADVICE[kind],
        )
    if kind == "still improving" and (late.gap or 0.0) >= LARGE_GAP:
        return (*_ADVICE[kind], "The gap to training accuracy is wide already: add augmentation or dropout.")
    return _ADVICE[kind]


def _with_keys(advice: tuple[str, ...], keys: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(text.format(**keys) for text in advice)


def _training_seen(history: list[dict[str, Any]]) -> tuple[str, ...]:
    training = _values(history, "accuracy")
    reached = f"; training accuracy ended at {training[-1]:.3f}" if training else ""
    return (f"No validation accuracy was measured, so nothing is known about unseen images{reached}.",)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _last(rows: list[dict[str, Any]]) -> str:
    return f"{rows[-1]['validation_accuracy']:.3f}"
