from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import Field, field_validator, model_validator

from imgclf.datasets.base import DataPlaces, DatasetSettings, Splits
from imgclf.experiment.problems import ExperimentError
from imgclf.experiment.schema_words import describe
from imgclf.experiment.validate import validate
from imgclf.experiment.yaml_text import parse
from imgclf.models.base import ModelSettings
from imgclf.settings import Count, Fraction, Misfit, Misfits, NonNegative, Positive, Settings

if TYPE_CHECKING:
    import keras


class Net(ModelSettings):
    """A network with filters."""

    name: Literal["net"]
    filters: tuple[Count, ...] = Field((8,), min_length=1)

    def build_body(self, image_shape: tuple[int, int, int]) -> keras.Model:
        raise NotImplementedError


class Dense(ModelSettings):
    """A network with units."""

    name: Literal["dense"]
    units: Count

    def build_body(self, image_shape: tuple[int, int, int]) -> keras.Model:
        raise NotImplementedError


class Shapes(DatasetSettings):
    """A data set that is never loaded."""

    name: Literal["shapes"]
    size: tuple[Count, Count] = (8, 8)

    def load(self, places: DataPlaces, seed: int) -> Splits:
        raise NotImplementedError


class Stage(Settings):
    epochs: Count = 1
    rate: Positive = 0.1

    @field_validator("rate")
    @classmethod
    def _rate_is_no_accident(cls, rate: float) -> float:
        if rate == 13:
            raise ValueError("13 brings bad luck")
        return rate


class Training(Settings):
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    momentum: Fraction = 0.0
    shuffle: bool = True
    weights: Literal["balanced"] | tuple[Positive, ...] | dict[str, Positive] | None = None
    stages: tuple[Stage, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Training:
        problems = [
            Misfit(("stages", n, "epochs"), "past 100") for n, one in enumerate(self.stages) if one.epochs > 100
        ]
        if len(problems) == 1:
            raise problems[0]
        if problems:
            raise Misfits(problems)
        return self


class Whole(Settings):
    dataset: Annotated[Shapes, Field()] = Shapes(name="shapes")
    model: Annotated[Net | Dense, Field(discriminator="name")]
    others: tuple[Annotated[Net | Dense, Field(discriminator="name")], ...] = ()
    training: Training = Training()
    seed: int = Field(0, ge=0, lt=2**32)
    title: str = ""


def _problems(text: str) -> list[str]:
    with pytest.raises(ExperimentError) as caught:
        validate(parse(text, "mine.yaml"), Whole)
    return str(caught.value).splitlines()


def _problem(text: str) -> str:
    (only,) = _problems(text)
    return only


def test_a_right_file_gives_the_settings_with_lists_as_tuples() -> None:
    whole = validate(parse("model: {name: net, filters: [4, 5]}\ntraining: {momentum: 0}\n", "mine.yaml"), Whole)
    assert whole.model == Net(name="net", filters=(4, 5))
    assert whole.training.momentum == 0.0


def test_the_name_alone_stands_for_a_section_that_is_chosen_by_name() -> None:
    whole = validate(parse("model: net\nothers: [net, {name: dense, units: 3}]\n", "mine.yaml"), Whole)
    assert whole.model == Net(name="net")
    assert whole.others == (Net(name="net"), Dense(name="dense", units=3))


STAGE = "training: {stages: [{%s}]}\n"
NET = "model: {name: net}\n"
BOTH = 'expected a mapping with one of the names "net", "dense", or the name alone'
WEIGHTS = (
    'expected "balanced" or a list of numbers greater than 0 or a mapping from text to numbers greater than 0 or null'
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # one mistake a row
        ("model:\n  name: net\n  fliters: [3]\n", '3: model.fliters: unknown key; did you mean "filters"?'),
        (
            NET + "training:\n  zzz: 1\n",
            "3: training.zzz: unknown key; allowed: precision, momentum, shuffle, weights, stages",
        ),
        ("seed: 3\n", f"1: model: missing; {BOTH}"),
        ("seed: 3\nmodel:\n  name: dense\n", "2: model.units: missing; expected a whole number of 1 or more"),
        ("model:\n  name: nett\n", '2: model.name: unknown name "nett"; did you mean "net"?'),
        ("model:\n  name: zzz\n", '2: model.name: unknown name "zzz"; expected one of "net", "dense"'),
        ("model: nett\n", '1: model: unknown name "nett"; did you mean "net"?'),
        ("model:\n  filters: [3]\n", '1: model.name: missing; expected one of "net", "dense"'),
        ("model:\n  name: 3\n", '2: model.name: expected one of "net", "dense", found 3'),
        ("model:\n", f"1: model: {BOTH}, found null"),
        ("model: [net]\n", f'1: model: {BOTH}, found ["net"]'),
        (NET + "training: fast\n", '2: training: expected a mapping, found "fast"'),
        (NET + "seed: on\n", '2: seed: expected a whole number of 0 or more and less than 4294967296, found "on"'),
        (NET + 'seed: "3"\n', '2: seed: expected a whole number of 0 or more and less than 4294967296, found "3"'),
        (NET + "seed: true\n", "2: seed: expected a whole number of 0 or more and less than 4294967296, found true"),
        (NET + "seed: 3.0\n", "2: seed: expected a whole number of 0 or more and less than 4294967296, found 3.0"),
        (NET + "seed: -1\n", "2: seed: expected a whole number of 0 or more and less than 4294967296, found -1"),
        (NET + "title: 3\n", "2: title: expected text, found 3"),
        (NET + "training: {shuffle: yes}\n", '2: training.shuffle: expected true or false, found "yes"'),
        (
            NET + "training: {precision: flaot16}\n",
            '2: training.precision: expected one of "float32", "bfloat16", "float16", found "flaot16"; '
            'did you mean "float16"?',
        ),
        (
            NET + "training: {precision: fp16}\n",
            '2: training.precision: expected one of "float32", "bfloat16", "float16", found "fp16"',
        ),
        (NET + STAGE % "rate: fast", '2: training.stages[0].rate: expected a number greater than 0, found "fast"'),
        (
            NET + STAGE % "rate: .inf",
            "2: training.stages[0].rate: expected a finite number greater than 0, found Infinity",
        ),
        (NET + STAGE % "rate: 13", "2: training.stages[0].rate: 13 brings bad luck"),
        (
            NET + "training: {stages: {epochs: 3}}\n",
            '2: training.stages: expected a list of mappings, found {"epochs": 3}',
        ),
        (
            NET + "dataset: {name: shapes, size: [3]}\n",
            "2: dataset.size[1]: missing; expected a whole number of 1 or more",
        ),
        (
            "model: {name: net, filters: []}\n",
            "1: model.filters: expected a list of whole numbers of 1 or more (at least 1 entry), found []",
        ),
        ("model: {name: net, filters: [8, 0]}\n", "1: model.filters[1]: expected a whole number of 1 or more, found 0"),
        (
            NET + "dataset: {name: shapes, validation_size: -1}\n",
            "2: dataset.validation_size: expected a whole number of 0 or more, or a number greater than 0 "
            "and less than 1, "
            "found -1",
        ),
        (NET + "training: {weights: 3}\n", f"2: training.weights: {WEIGHTS}, found 3"),
        (
            NET + "training: {weights: balancd}\n",
            f'2: training.weights: {WEIGHTS}, found "balancd"; did you mean "balanced"?',
        ),
        (NET + "training: {weights: [1, 0]}\n", "2: training.weights[1]: expected a number greater than 0, found 0"),
        (
            NET + "training: {weights: {cat: -1}}\n",
            "2: training.weights.cat: expected a number greater than 0, found -1",
        ),
        (NET + "training:\n  stages:\n  - epochs: 101\n", "4: training.stages[0].epochs: past 100"),
        (
            "model: {name: net, head: {name: softmax, kernel_initializer: he_norml}}\n",
            '1: model.head.kernel_initializer: unknown name "he_norml"; did you mean "he_normal"?',
        ),
        ("model:\n  name: net\n  net:\n    filters: [3]\n", "3: model.net: unknown key; allowed: head, name, filters"),
        (NET + '"a b\\n.c": 1\n', '2: "a b\\n.c": unknown key; allowed: dataset, model, others, training, seed, title'),
    ],
)  # fmt: skip
def test_each_mistake_is_one_line_with_key_expected_and_found(text: str, expected: str) -> None:
    assert _problem(text) == f"mine.yaml:{expected}"


def test_all_mistakes_come_sorted_by_line() -> None:
    text = "training:\n  momentum: 1\n  stages:\n  - epochs: 0\n  - rat: 1\nmodel:\n  name: dense\nzzz: 1\n"
    assert _problems(text) == [
        "mine.yaml:2: training.momentum: expected a number of 0 or more and less than 1, found 1",
        "mine.yaml:4: training.stages[0].epochs: expected a whole number of 1 or more, found 0",
        'mine.yaml:5: training.stages[1].rat: unknown key; did you mean "rate"?',
        "mine.yaml:6: model.units: missing; expected a whole number of 1 or more",
        "mine.yaml:8: zzz: unknown key; allowed: dataset, model, others, training, seed, title",
    ]


def test_a_validator_points_at_several_keys_at_once() -> None:
    text = NET + "training:\n  stages:\n  - epochs: 101\n  - epochs: 3\n  - epochs: 102\n"
    assert _problems(text) == [
        "mine.yaml:4: training.stages[0].epochs: past 100",
        "mine.yaml:6: training.stages[2].epochs: past 100",
    ]


def test_long_values_are_cut_and_control_characters_escaped() -> None:
    message = _problem(NET + 'seed: "\\t\u202e' + "x" * 500 + '"\n')
    assert message.isprintable()
    assert "\\t\\u202exxx" in message
    assert len(message) < 200


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: tuple[Count, ...], "a list of whole numbers of 1 or more"),
        (lambda: tuple[Count, Count], "a list of 2 whole numbers of 1 or more"),
        (lambda: tuple[int, str], "a list of 2 values: a whole number, text"),
        (lambda: tuple[tuple[int, ...], ...], "a list of lists of whole numbers"),
        (lambda: tuple[Literal["a", "b"], ...], 'a list of values out of "a", "b"'),
        (lambda: dict[str, NonNegative], "a mapping from text to numbers of 0 or more"),
        (lambda: Annotated[int, Field(ge=2, le=5)], "a whole number from 2 to 5"),
        (lambda: Annotated[float, Field(le=0.5)], "a number of 0.5 or less"),
        (lambda: Annotated[int, Field(multiple_of=8)], "a whole number divisible by 8"),
        (lambda: Annotated[str, Field(min_length=1, pattern="^a")], "text that is not empty and that matches ^a"),
        (
            lambda: Annotated[tuple[int, ...], Field(min_length=1, max_length=3)],
            "a list of whole numbers (1 to 3 entries)",
        ),
        (lambda: Literal["a"], '"a"'),
        (lambda: Literal[1, 3] | None, "one of 1, 3, or null"),
        (lambda: bool | str, "true or false or text"),
        (lambda: Any, "any value"),
        (lambda: Stage, "a mapping"),
    ],
)  # fmt: skip
def test_types_are_described_in_words(make: Callable[[], Any], words: str) -> None:
    class Holder(Settings):
        key: make()  # type: ignore[valid-type]

    Holder.model_rebuild(_types_namespace={"make": make})
    schema = Holder.model_json_schema()
    expected = words.replace("true or false or text", "true or false, or text")
    assert describe(schema["properties"]["key"], schema) == expected


def test_a_thousand_mistakes_are_all_reported() -> None:
    assert len(_problems("model: {name: net, filters: [" + "x, " * 1000 + "]}\n")) == 1000


def test_validating_imports_no_framework() -> None:
    import subprocess

    program = (
        "import sys; import imgclf.experiment.validate, imgclf.experiment.reference_page;"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'sklearn', 'cv2', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
