"""Weights of the classes in the loss, for training data in which some classes are rare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from imgclf.errors import ImgclfError
from imgclf.settings import Positive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ClassWeight = Literal["balanced"] | tuple[Positive, ...] | dict[str, Positive] | None


def check(setting: ClassWeight, class_names_of_targets: Sequence[tuple[str, ...]]) -> list[str]:
    """What is wrong with a setting for the classes of these targets, one message a mistake; needs no data.

    "balanced" holds for each target by itself; a list or a mapping says of one target's classes alone.
    """
    if isinstance(setting, (tuple, dict)) and len(class_names_of_targets) > 1:
        found = f"the data has {len(class_names_of_targets)}"
        return [f"a list or a mapping is for one target, and {found}; take balanced, which weighs each by itself"]
    class_names = class_names_of_targets[0]
    if isinstance(setting, tuple) and len(setting) != len(class_names):
        return [f"must hold one weight for each of the {len(class_names)} classes; got {len(setting)}"]
    if isinstance(setting, dict):
        known = ", ".join(class_names)
        return [f'must name classes of the data ({known}); got "{name}"' for name in setting if name not in class_names]
    return []


def class_weights(
    setting: ClassWeight, labels: NDArray[np.integer], class_names: tuple[str, ...]
) -> NDArray[np.float32] | None:
    """The weight of each class, float32 (classes,), or None where all count alike.

    ``labels``: (images,) of the training split, each from 0 to classes - 1. "balanced" is images / (classes * images
    of the class), as in scikit-learn. A class that a mapping leaves out has weight 1. Raises ImgclfError where the
    setting does not fit the classes, or "balanced" meets a class without images.
    """
    import numpy as np

    if problems := check(setting, [class_names]):
        raise ImgclfError("\n".join(f"training.class_weight: {problem}" for problem in problems))
    if setting is None:
        return None
    if setting == "balanced":
        return _balanced(labels, class_names)
    if isinstance(setting, dict):
        return np.array([setting.get(name, 1.0) for name in class_names], np.float32)
    return np.array(setting, np.float32)


def _balanced(labels: NDArray[np.integer], class_names: tuple[str, ...]) -> NDArray[np.float32]:
    import numpy as np

    counts = np.bincount(labels, minlength=len(class_names))
    if empty := [name for name, count in zip(class_names, counts, strict=True) if count == 0]:
        raise ImgclfError(
            f"training.class_weight: balanced must find training images of every class; got none of {', '.join(empty)}",
            hint="give the weights as a list or a mapping, or leave the class out of the data.",
        )
    return (len(labels) / (len(class_names) * counts)).astype(np.float32)
