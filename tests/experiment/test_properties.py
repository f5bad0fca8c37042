"""Whatever stands in a file or behind --set: an experiment, or one clear line for each mistake."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from imgclf.errors import ImgclfError
from imgclf.experiment.load import experiment_text, load_experiment
from imgclf.experiment.schema import Experiment
from imgclf.experiment.shipped import configs_folder, shipped_configs

Path_ = tuple[str | int, ...]
Node = dict[str, Any]

SCHEMA: Node = json.loads((configs_folder() / "experiment.schema.json").read_text())
TEXTS = {config.stem: config.read_text() for config in shipped_configs()}
DATA = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
SNIPPETS = (
    "&a ", "*a", "*b", "<<: *a", "<<: {name: lenet}", "!!python/object/apply:os.system [ls]", "!!str ", "!!binary ",
    "!!set ", "!a ", "!<tag:yaml.org,2002:int> ", "\0", "\x1b[2J", "\x85", "\u2028", "\ufeff", "\ufffe", "\ud800",
    "\U0001f600", "\t", "\r", "? ", "? [a]\n: b\n", "{", "[", "]", "}", "- ", ": ", "#", "\n---\n", "\n...\n",
    "%YAML 1.1\n---\n", "%TAG ! tag:x,2002:\n---\n", '"', "'", '"\\uD800"', '"\\UFFFFFFFF"', '"\\x1b"', "|\n", ">-\n",
    "|99\n", "[" * 40, "{a: " * 40, "- " * 40, "9" * 400, "1e999", "-.inf", ".nan", "0x" + "f" * 40, "seed: 1\n",
    "model: lenet\n", "model:\n", "@", "`", "\\", "=", "~", "null", "a" * 5000, "a: b: c", "1: 2\n", "[]: 1\n",
    "{}: 1\n", ": 1\n", "true: 1\n",
)  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("experiments") / "mine.yaml"


def load(file: Path, content: str | bytes, *overrides: str) -> Experiment:
    file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return load_experiment(str(file), overrides).experiment


def check_answer(file: Path, content: str | bytes, *overrides: str) -> None:
    """An experiment, or mistakes of a line each: each names the file and its line, or the override; all printable."""
    try:
        load(file, content, *overrides)
    except ImgclfError as error:
        lines = error.lines()
        assert lines
        for line in lines:
            assert line.isprintable(), line
            assert len(line) <= 2000, line
            begins = re.match(r"error: --set \S" if overrides else "(?!)", line)
            assert begins or re.match(rf"error: {re.escape(str(file))}:\d+(:\d+)?: \S", line), line


# Values of any type, and those that schemas like least.

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**32, 2**63 - 1, -(2**63), 2**64, 10**30, 1e308, 5e-324, -0.0]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["lenet", "adam", "cosine", "digits", "accuracy", "svm", "adma", "null", "1e3", "a.b", "", "é\u2028"]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=10) | st.just("name"), inner, max_size=4)
    ),
    max_leaves=8,
)


def fitting(node: Node) -> st.SearchStrategy[Any]:
    """Values of a node of the JSON Schema, as far as it tells."""
    if "$ref" in node:
        return of_definition(node["$ref"].rpartition("/")[2])
    for key in ("anyOf", "oneOf"):
        if key in node:
            return st.one_of([fitting(choice) for choice in node[key]])
    if "const" in node or "enum" in node:
        return st.sampled_from(node.get("enum", [node.get("const")]))
    return OF_TYPE[node["type"]](node) if "type" in node else values


@functools.cache
def of_definition(name: str) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: fitting(SCHEMA["$defs"][name]))


def _numbers(node: Node) -> st.SearchStrategy[float]:
    least, most = node.get("minimum", node.get("exclusiveMinimum")), node.get("maximum", node.get("exclusiveMaximum"))
    return st.floats(
        least, most, exclude_min="exclusiveMinimum" in node, exclude_max="exclusiveMaximum" in node,
        allow_nan=False, allow_infinity=False,
    )  # fmt: skip


def _integers(node: Node) -> st.SearchStrategy[int]:
    least = node.get("minimum", node.get("exclusiveMinimum", -(2**63) - 1) + 1)
    most = node.get("maximum", node.get("exclusiveMaximum", 2**63) - 1)
    return st.integers(least, min(most, least + 300)) | st.integers(least, most)


def _arrays(node: Node) -> st.SearchStrategy[list[Any]]:
    if "prefixItems" in node:
        return st.tuples(*map(fitting, node["prefixItems"])).map(list)
    least = node.get("minItems", 0)
    return st.lists(fitting(node.get("items", {})), min_size=least, max_size=node.get("maxItems", least + 2))


def _objects(node: Node) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" not in node:
        return st.dictionaries(st.text(max_size=8), fitting(node.get("additionalProperties", {})), max_size=3)
    keys = {key: fitting(inner) for key, inner in node["properties"].items()}
    required = {key: keys.pop(key) for key in node.get("required", ())}
    return st.sets(st.sampled_from(sorted(keys)), max_size=3).flatmap(
        lambda chosen: st.fixed_dictionaries({**required, **{key: keys[key] for key in chosen}})
    ) if keys else st.fixed_dictionaries(required)  # fmt: skip


OF_TYPE: dict[str, Callable[[Node], st.SearchStrategy[Any]]] = {
    "object": _objects,
    "array": _arrays,
    "number": _numbers,
    "integer": _integers,
    "string": lambda node: st.text(min_size=node.get("minLength", 0), max_size=12),
    "boolean": lambda _: st.booleans(),
    "null": lambda _: st.none(),
}


def nodes_of(node: Node) -> list[Node]:
    """The node's choices, references followed."""
    if "$ref" in node:
        return nodes_of(SCHEMA["$defs"][node["$ref"].rpartition("/")[2]])
    choices = node.get("anyOf", node.get("oneOf"))
    return [found for choice in choices for found in nodes_of(choice)] if choices else [node]


def paths_of(data: Any, path: Path_ = ()) -> list[Path_]:
    """The paths of all values, the whole first."""
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(found for key, value in entries for found in paths_of(value, (*path, key)))]


def value_at(data: Any, path: Path_) -> Any:
    return functools.reduce(lambda value, part: value[part], path, data)


def keys_at(path: Path_, data: Any) -> dict[str, Node]:
    """The keys that the schema has for the mapping at ``path``, of the section of the name that stands there."""
    nodes = nodes_of(SCHEMA)
    for part in path:
        children = [
            node["properties"].get(part) if isinstance(part, str) and "properties" in node
            else node.get("items") if isinstance(part, int) else None
            for node in nodes
        ]  # fmt: skip
        nodes = [found for child in children if child for found in nodes_of(child)]
    name = value_at(data, path).get("name")
    named = [node for node in nodes if node.get("properties", {}).get("name", {}).get("const", name) == name]
    return {key: inner for node in named for key, inner in node.get("properties", {}).items()}


@st.composite
def changed(draw: st.DrawFn) -> dict[str, Any]:
    """A shipped config with one to three keys renamed, removed or added, or values of other types in their places."""
    data = copy.deepcopy(DATA[draw(st.sampled_from(sorted(DATA)))])
    for _ in range(draw(st.integers(1, 3))):
        *above, last = draw(st.sampled_from(paths_of(data)[1:] or [("seed",)]))
        section = value_at(data, tuple(above))
        kind = draw(st.sampled_from(["value", "value", "remove", "rename", "add"]))
        if kind == "value" or not isinstance(section, dict):
            section[last] = draw(values)
        elif kind == "add":
            section[draw(st.text(max_size=10))] = draw(values)
        else:
            value = section.pop(last, None)
            if kind == "rename":
                section[draw(st.sampled_from([f"{last}s", str(last).upper(), str(last)[:-1], "\x1b", "name"]))] = value
    return data


@st.composite
def set_by_schema(draw: st.DrawFn) -> dict[str, Any]:
    """A shipped config with one to four keys of its sections set to values that the schema allows there."""
    data = copy.deepcopy(DATA[draw(st.sampled_from(sorted(DATA)))])
    data.pop("reference", None)
    for _ in range(draw(st.integers(1, 4))):
        mappings = [path for path in paths_of(data) if isinstance(value_at(data, path), dict) and keys_at(path, data)]
        path = draw(st.sampled_from(mappings))
        key, node = draw(st.sampled_from(sorted(keys_at(path, data).items(), key=lambda entry: entry[0])))
        value_at(data, path)[key] = draw(fitting(node))
    return data


@st.composite
def broken_text(draw: st.DrawFn) -> str:
    """The text of a shipped config with snippets put in, and parts taken out or doubled."""
    text = TEXTS[draw(st.sampled_from(sorted(TEXTS)))]
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        new = draw(st.sampled_from([*SNIPPETS, text[start:end] * 2]) | st.text(max_size=5))
        text = text[:start] + new + text[end:]
    return text


def dumped(data: Any) -> str:
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False)


documents = st.one_of(
    st.text(max_size=60),
    st.text("&*!|>%@`{}[],:-?#'\"\\ \n\tab1.<~", max_size=40),
    st.lists(st.sampled_from(SNIPPETS), max_size=6).map("".join),
    values.map(dumped),
    st.dictionaries(st.sampled_from(sorted(SCHEMA["properties"])), values, max_size=4).map(dumped),
    fitting(SCHEMA).map(dumped),
    changed().map(dumped),
    set_by_schema().map(dumped),
    broken_text(),
    broken_text(),
)


@given(content=documents)
def test_any_text_is_an_experiment_or_one_clear_line_for_each_mistake(file: Path, content: str) -> None:
    check_answer(file, content)


@given(
    content=st.binary(max_size=40)
    | st.tuples(st.binary(max_size=4), broken_text()).map(lambda two: two[0] + two[1].encode("utf-16", "surrogatepass"))
)
def test_any_bytes_are_an_experiment_or_one_clear_line_for_each_mistake(file: Path, content: bytes) -> None:
    check_answer(file, content)


key_texts = st.one_of(
    st.sampled_from(sorted({".".join(map(str, path)) for data in DATA.values() for path in paths_of(data)[1:]})),
    st.lists(
        st.sampled_from(["model", "training", "name", "stages", "[0]", "0", "[1]", "x", "filters"]),
        min_size=1,
        max_size=5,
    ).map(".".join),
    st.text(max_size=20),
)
value_texts = st.one_of(
    st.text(max_size=30), st.sampled_from(SNIPPETS), values.map(lambda value: json.dumps(value)), values.map(dumped)
)


@example(config="lenet_mnist", overrides=[" "])
@example(config="lenet_mnist", overrides=["", " 0"])
@given(
    config=st.sampled_from(sorted(TEXTS)),
    overrides=st.lists(
        st.one_of(st.text(max_size=30), st.tuples(key_texts, value_texts).map("=".join)), min_size=1, max_size=3
    ),
)
def test_any_override_is_taken_or_told_in_one_clear_line_for_each_mistake(
    file: Path, config: str, overrides: list[str]
) -> None:
    check_answer(file, TEXTS[config], *overrides)


@given(data=st.one_of(set_by_schema(), set_by_schema(), fitting(SCHEMA)))
def test_a_complete_experiment_is_read_back_as_it_was_written(file: Path, data: dict[str, Any]) -> None:
    try:
        experiment = load(file, dumped(data))
    except ImgclfError:
        assume(False)
    text = experiment_text(experiment)
    again = load(file, text)
    assert again.complete() == experiment.complete()
    assert again.digest() == experiment.digest()
    assert load(file, experiment_text(again)) == again


@given(data=set_by_schema(), chosen=st.data())
def test_an_override_with_the_value_that_stands_there_changes_nothing(
    file: Path, data: dict[str, Any], chosen: st.DataObject
) -> None:
    try:
        experiment = load(file, dumped(data))
    except ImgclfError:
        assume(False)
    complete = experiment.complete()
    path = chosen.draw(st.sampled_from([path for path in paths_of(complete)[1:] if _can_be_typed(path)]))
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)[1:]
    override = f"{key}={json.dumps(value_at(complete, path), ensure_ascii=False)}"
    text = experiment_text(experiment)
    assert load(file, text, override) == load(file, text)


def _can_be_typed(path: Path_) -> bool:
    return all(isinstance(part, int) or re.fullmatch(r"[\w-]+", part) for part in path)
