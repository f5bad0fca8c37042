"""What the rest of a stage depends on: its parts, each with a state that is written down and restored by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from imgclf.errors import ImgclfError
from imgclf.runs.hdf5 import settle_normalization
from imgclf.texts import few

if TYPE_CHECKING:
    import keras

SHOWN = 5


class Part(Protocol):
    """Something that changes while a stage runs."""

    def state(self) -> Mapping[str, Any]:
        """Arrays (or variables, read when they are written down) and numbers, by name."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state``; its arrays have ``load()``. Raises ImgclfError where they don't fit."""


class Variables:
    """The values of variables of Keras or TensorFlow, in a fixed order.

    Those of an optimizer are known without its own name (``of_optimizer``): Keras numbers the optimizers of a process.
    """

    def __init__(self, variables: Sequence[Any], *, of_optimizer: bool = False) -> None:
        paths = [str(getattr(one, "path", one.name)) for one in variables]
        names = [path.partition("/")[2] or path for path in paths] if of_optimizer else paths
        self._named = {
            f"{number} {name}": one
            for number, (name, one) in enumerate(zip(names, variables, strict=True))
            if "seed_generator" not in name
        }

    def state(self) -> Mapping[str, Any]:
        """The variables themselves."""
        return self._named

    def restore(self, state: Mapping[str, Any]) -> None:
        """Give each variable its value, one at a time. Raises ImgclfError, before any, where one does not fit."""
        if problems := list(self._problems(state)):
            raise ImgclfError(f"checkpoint: not of this model and optimizer: {few(problems, SHOWN, '; ')}")
        for name, variable in self._named.items():
            variable.assign(state[name].load())

    def _problems(self, state: Mapping[str, Any]) -> list[str]:
        problems = [f"{name} is unknown" for name in state if name not in self._named]
        for name, variable in self._named.items():
            wanted = f"{_type(variable)} {tuple(variable.shape)}"
            stored = state.get(name)
            found = "nothing" if stored is None else f"{stored.dtype} {stored.shape}"
            if found != wanted:
                problems.append(f"{name} must be {wanted}; found {found}")
        return problems


def states(parts: Mapping[str, Part]) -> dict[str, Mapping[str, Any]]:
    """The state of each part, by its name."""
    return {name: part.state() for name, part in parts.items()}


def restore(parts: Mapping[str, Part], saved: Mapping[str, Mapping[str, Any]]) -> None:
    """Give each part its state. Raises ImgclfError where the parts are others than those that were saved."""
    if parts.keys() != saved.keys():
        raise ImgclfError(f"checkpoint: must hold {', '.join(sorted(parts))}; found {', '.join(sorted(saved))}")
    for name, part in parts.items():
        part.restore(saved[name])


def restore_weights(model: keras.Model, state: Mapping[str, Any]) -> None:
    """Give a model the weights of a checkpoint's part ``model``. Raises ImgclfError where they don't fit."""
    Variables(model.variables).restore(state)
    settle_normalization(model)


def _type(variable: Any) -> str:
    return str(getattr(variable.dtype, "name", variable.dtype))
