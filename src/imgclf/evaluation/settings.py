"""The section ``evaluation``: how a trained model answers, and how answers of two classes are judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from imgclf.settings import Settings

TestTimeAugmentation = Literal["flip"]
ThresholdRule = Literal["youden", "balanced_accuracy", "f1", "accuracy"]


class EvaluationSettings(Settings):
    """The section ``evaluation``."""

    test_time_augmentation: TestTimeAugmentation | None = Field(
        None,
        description="`flip`: the logits of an image and of its horizontal mirror image are averaged, in validation, "
        "evaluation and prediction alike; takes twice the time. null: the image alone.",
    )
    threshold: ThresholdRule = Field(
        "youden",
        description="With two classes: what the threshold on the positive class's probability makes highest on the "
        "validation images. `youden`: recall plus specificity, which is also the highest `balanced_accuracy`, and does "
        "not depend on how frequent the classes are; `f1`: F1 of the positive class; `accuracy`: the share of right "
        "answers.",
    )
    positive_class: str | None = Field(
        None,
        description="With two classes: the name of the class that precision, recall and the threshold are about. With "
        "several targets, it holds for those that have this class. null: the second class.",
    )

    def positive_label(self, class_names: Sequence[str]) -> int:
        """The label of the positive class, 0 or 1, among the names of two classes."""
        return class_names.index(self.positive_class) if self.positive_class in class_names else 1

    def problems(self, class_names_of_targets: Sequence[tuple[str, ...]]) -> list[str]:
        """What is wrong with ``positive_class`` for the classes of these targets; needs no data."""
        if self.positive_class is None:
            return []
        pairs = [names for names in class_names_of_targets if len(names) == 2]
        if not pairs:
            counts = " and ".join(str(len(names)) for names in class_names_of_targets)
            return [f"is for data with two classes; the data has {counts}"]
        if any(self.positive_class in names for names in pairs):
            return []
        known = "; ".join(", ".join(names) for names in pairs)
        return [f'must name a class of the data ({known}); got "{self.positive_class}"']


def averaging_text(test_time_augmentation: str | None) -> str:
    """For the end of a line to the user: whose outputs are averaged; empty where none are."""
    return "; outputs averaged over each image and its mirror image" if test_time_augmentation == "flip" else ""
