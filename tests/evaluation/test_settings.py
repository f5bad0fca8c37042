"""The section `evaluation`: what it is checked against."""

from __future__ import annotations

import pytest

from imgclf.evaluation.settings import EvaluationSettings

PETS, DIGITS, SIDES = ("cat", "dog"), ("0", "1", "2"), ("left", "right")


def test_the_second_class_is_positive_unless_one_is_named() -> None:
    assert EvaluationSettings().positive_label(PETS) == 1
    assert EvaluationSettings(positive_class="cat").positive_label(PETS) == 0
    assert EvaluationSettings(positive_class="dog").positive_label(PETS) == 1


def test_a_positive_class_holds_for_the_targets_that_have_it() -> None:
    settings = EvaluationSettings(positive_class="cat")
    assert settings.problems([PETS, SIDES]) == []
    assert (settings.positive_label(PETS), settings.positive_label(SIDES)) == (0, 1)


@pytest.mark.parametrize(
    ("targets", "found"),
    [
        ([PETS], 'must name a class of the data (cat, dog); got "bird"'),
        ([PETS, DIGITS, SIDES], 'must name a class of the data (cat, dog; left, right); got "bird"'),
        ([DIGITS], "is for data with two classes; the data has 3"),
        ([DIGITS, DIGITS], "is for data with two classes; the data has 3 and 3"),
    ],
)
def test_a_positive_class_that_the_data_lacks_is_a_mistake(targets: list[tuple[str, ...]], found: str) -> None:
    assert EvaluationSettings(positive_class="bird").problems(targets) == [found]
    assert EvaluationSettings().problems(targets) == []
