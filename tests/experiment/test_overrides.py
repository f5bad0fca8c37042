from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field

from imgclf.experiment.overrides import Overrides
from imgclf.experiment.problems import ExperimentError
from imgclf.experiment.validate import validate
from imgclf.experiment.yaml_text import parse
from imgclf.settings import Count, Positive, Settings

TEXT = """\
model: {name: net, filters: [8, 16]}
training:
  epochs: 3
  optimizer: adam
  stages: [{epochs: 1}, {epochs: 2}]
empty:
seed: 1
"""


class Net(Settings):
    name: Literal["net"]
    filters: tuple[Count, ...] = (8,)


class Dense(Settings):
    name: Literal["dense"]
    units: Count = 4


class Experiment(Settings):
    model: Annotated[Net | Dense, Field(discriminator="name")]
    epochs: Count = 1
    rate: Positive = 0.1


def _applied(*arguments: str) -> dict[str, object]:
    return Overrides.parse(arguments).apply(parse(TEXT, "mine.yaml")).data


def _refused(*arguments: str) -> list[str]:
    with pytest.raises(ExperimentError) as caught:
        _applied(*arguments)
    return str(caught.value).splitlines()


def _validation_problems(text: str, *arguments: str) -> list[str]:
    with pytest.raises(ExperimentError) as caught:
        validate(parse(text, "mine.yaml"), Experiment, Overrides.parse(arguments))
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("argument", "section", "value"),
    [
        ("seed=5", "seed", 5),
        ("seed=1e-3", "seed", 0.001),
        ("seed=", "seed", None),
        ("seed=on", "seed", "on"),
        ("seed=a=b", "seed", "a=b"),
        ("new=[1, x]", "new", [1, "x"]),
        ("new={name: net, sizes: [1]}", "new", {"name": "net", "sizes": [1]}),
        ("new.inner.key=1", "new", {"inner": {"key": 1}}),
        ("empty.key=1", "empty", {"key": 1}),
        ("model.filters[1]=32", "model", {"name": "net", "filters": [8, 32]}),
        ("model.filters.0=4", "model", {"name": "net", "filters": [4, 16]}),
        ("model.name=dense", "model", {"name": "dense", "filters": [8, 16]}),
    ],
)
def test_a_value_is_set(argument: str, section: str, value: object) -> None:
    assert _applied(argument)[section] == value


def test_entries_of_lists_are_reached_both_ways() -> None:
    training = _applied("training.stages[0].epochs=7", "training.stages.1.epochs=8")["training"]
    assert isinstance(training, dict)
    assert training["stages"] == [{"epochs": 7}, {"epochs": 8}]


def test_a_text_on_the_way_becomes_the_name_of_its_section() -> None:
    training = _applied("training.optimizer.learning_rate=0.1")["training"]
    assert isinstance(training, dict)
    assert training["optimizer"] == {"name": "adam", "learning_rate": 0.1}


def test_the_later_override_wins_and_reaches_into_the_earlier() -> None:
    assert _applied("new={a: 1}", "new.b=2", "seed=1", "seed=2")["new"] == {"a": 1, "b": 2}
    assert _applied("seed=1", "seed=2")["seed"] == 2


def test_the_document_and_the_overrides_stay_as_they_were() -> None:
    document = parse(TEXT, "mine.yaml")
    overrides = Overrides.parse(["new={a: 1}", "new.b=2", "model.filters[0]=1"])
    assert overrides.apply(document).data == overrides.apply(document).data
    assert document.data == parse(TEXT, "mine.yaml").data


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("foo", "--set foo: expected KEY=VALUE, for example training.epochs=3"),
        ("=3", "--set =3: expected KEY=VALUE, for example training.epochs=3"),
        ("a..b=1", '--set a..b=1: "a..b" is no key'),
        ("a[x]=1", '--set a[x]=1: "a[x]" is no key'),
        ("a[0=1", '--set a[0=1: "a[0" is no key'),
        ("a b=1", '--set a b=1: "a b" is no key'),
        (".=1", '--set .=1: "." is no key'),
        ("a=[1", "--set a=[1: a: "),
        ("a={b: 1, b: 2}", "--set a={b: 1, b: 2}: a: duplicate key"),
        ("a=!!python/none x", "--set a=!!python/none x: a: the tag !!python/none cannot stand here"),
        ("a=x #1", '--set a=x #1: a: "#1" is a comment in YAML'),
        ("a=\x1b[31m", "--set a=\\x1b[31m: a: the character U+001B"),
        ("model.filters[2]=1", "--set model.filters[2]=1: model.filters: there is no entry 2; the list has 2"),
        ("model.filters.x=1", "--set model.filters.x=1: model.filters: a list needs a position"),
        ("model[0]=1", "--set model[0]=1: model: is no list"),
        ("seed.key=1", "--set seed.key=1: seed: is 1, which has no keys"),
        (".".join("a" * 40) + "=1", "--set " + ".".join("a" * 38)),
    ],
)
def test_what_cannot_be_set_is_named(argument: str, message: str) -> None:
    assert _refused(argument)[0].startswith(message)


def test_all_malformed_overrides_are_reported_together() -> None:
    assert len(_refused("foo", "seed=2", "=3")) == 2


def test_problems_of_overridden_values_name_the_override() -> None:
    text = "model: {name: net}\nrate: fast\n"
    assert _validation_problems(text, "epochs=zero", "model.filters=[8, x]") == [
        'mine.yaml:2: rate: expected a number greater than 0, found "fast"',
        '--set epochs=zero: epochs: expected a whole number of 1 or more, found "zero"',
        '--set model.filters=[8, x]: model.filters[1]: expected a whole number of 1 or more, found "x"',
    ]


def test_an_unknown_key_in_an_override_gets_a_suggestion() -> None:
    assert _validation_problems("model: net\n", "epoch=3") == [
        '--set epoch=3: epoch: unknown key; did you mean "epochs"?'
    ]


def test_another_name_leaves_the_other_keys_to_the_validation() -> None:
    text = "model:\n  name: net\n  filters: [3]\n"
    assert _validation_problems(text, "model.name=dense") == [
        "mine.yaml:3: model.filters: unknown key; allowed: name, units"
    ]


def test_a_section_that_only_an_override_made_is_blamed_on_it() -> None:
    assert _validation_problems("rate: 1\n", "model.units=3") == [
        '--set model.units=3: model.name: missing; expected one of "net", "dense"'
    ]
