from __future__ import annotations

from typing import Annotated, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import Field

from imgclf.experiment.reference_page import json_schema, reference_page
from imgclf.settings import Count, Positive, Settings


class Plain(Settings):
    """A start without numbers."""

    name: Literal["zeros", "ones"]


class Normal(Settings):
    """Numbers from a normal distribution.

    More that the page leaves out.
    """

    name: Literal["normal"]
    deviation: Positive = Field(0.05, description="Standard | deviation.")


Start = Annotated[Plain | Normal, Field(discriminator="name")]


class Head(Settings):
    """The head."""

    start: Start = Field(Plain(name="zeros"), description="How weights start.")
    units: Count = Field(10, description="Units.")


class Net(Settings):
    """A network with filters."""

    name: Literal["net"]
    filters: tuple[Count, ...] = Field((8, 16), description="Filters of each layer.")
    head: Head = Field(Head(units=3), description="The last layer.")


class Dense(Settings):
    """A network with units."""

    name: Literal["dense"]
    start: Start = Field(description="How units start.")


class Stage(Settings):
    """One stage."""

    epochs: Count | None = Field(None, description="Passes.")


class Training(Settings):
    """The training."""

    stages: tuple[Stage, ...] = Field((), description="Stages.")


class Experiment(Settings):
    """One experiment."""

    model: Annotated[Net | Dense, Field(discriminator="name")] = Field(description="Which network.")
    training: Training = Field(Training(), description="How it is trained.")
    seed: int = Field(0, ge=0, description="Start of random numbers.")


@pytest.fixture
def page() -> str:
    return reference_page(Experiment, "The experiment file", "What stands in it.")


def test_the_page_begins_with_title_introduction_and_all_sections(page: str) -> None:
    assert page.startswith(
        "# The experiment file\n\nWhat stands in it.\n\n| key | type | default | meaning |\n|---|---|---|---|\n"
    )
    assert "| [`training`](#training) | a mapping | see below | How it is trained. |\n" in page
    assert "| `seed` | a whole number of 0 or more | `0` | Start of random numbers. |\n" in page


def test_each_section_and_each_name_has_a_heading_in_order(page: str) -> None:
    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert headings == [
        "# The experiment file",
        "## `model`",
        "### `net`",
        "### `dense`",
        "## `training`",
        "## `start`",
        "### `ones`, `zeros`",
        "### `normal`",
    ]


def test_keys_stand_with_type_default_and_meaning(page: str) -> None:
    assert "| `filters` | a list of whole numbers of 1 or more | `[8, 16]` | Filters of each layer. |\n" in page
    assert "| `deviation` | a number greater than 0 | `0.05` | Standard \\| deviation. |\n" in page
    assert "| `start` | a mapping with one of the names" in page
    assert ", or the name alone | required | How units start. |\n" in page


def test_nested_settings_have_dotted_keys_with_the_defaults_of_their_place(page: str) -> None:
    assert "| `head.units` | a whole number of 1 or more | `3` | Units. |\n" in page
    assert "| `stages[].epochs` | a whole number of 1 or more, or null | `null` | Passes. |\n" in page


def test_settings_chosen_deeper_down_stand_once_with_their_places(page: str) -> None:
    assert "Stands at: `model.head.start`, `model.start`." in page
    assert page.count("A start without numbers.") == 1
    assert "A start without numbers.\n\nNo further keys.\n" in page


def test_only_the_first_paragraph_of_a_docstring_is_shown(page: str) -> None:
    assert "Numbers from a normal distribution.\n" in page
    assert "leaves out" not in page


def test_the_page_is_clean_and_the_same_each_time(page: str) -> None:
    assert all(line == line.rstrip() for line in page.splitlines())
    assert page.endswith("\n")
    assert not page.endswith("\n\n")
    assert page == reference_page(Experiment, "The experiment file", "What stands in it.")


def test_the_json_schema_is_a_valid_schema_of_its_draft() -> None:
    schema = json_schema(Experiment)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("data", "valid"),
    [
        ({"model": {"name": "net", "filters": [1]}}, True),
        ({"model": "net"}, True),
        ({"model": {"name": "net", "head": {"start": "ones"}}}, True),
        ({"model": "nett"}, False),
        ({"model": {"name": "net", "fliters": [1]}}, False),
        ({"model": {"name": "net", "filters": [0]}}, False),
        ({}, False),
    ],
)
def test_the_json_schema_takes_what_the_program_takes(data: object, valid: bool) -> None:
    assert Draft202012Validator(json_schema(Experiment)).is_valid(data) is valid
