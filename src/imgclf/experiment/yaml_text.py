"""YAML text to plain Python data with line numbers: the scalars of YAML 1.2's core schema, and strict limits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from imgclf.errors import printable
from imgclf.experiment.document import Document
from imgclf.experiment.problems import ExperimentError, KeyPath, PlainData, Problem, dotted, shown
from imgclf.experiment.yaml_scalars import convert, fits, kind_of

MAX_BYTES = 2**20
MAX_NODES = 10_000  # keys and values of the tree after aliases are expanded
MAX_DEPTH = 32

_TAG = "tag:yaml.org,2002:"
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_PLAIN_WORDS = {  # how PyYAML's messages begin that say little to people who do not know the grammar of YAML
    "found character '\\t' that cannot start any token": "a tab where YAML wants spaces; indent with spaces",
    "mapping values are not allowed here": 'a ": " that does not fit here; check the indentation, or quote the text',
    "could not find expected ':'": "a key without a colon after it",
    "found unexpected end of stream": "the file ends inside quotes",
    "expected <block end>, but found": "this does not fit here; check the indentation",
    "expected ',' or ']', but got": "a comma or a closing ] is missing before this",
    "expected ',' or '}', but got": "a comma or a closing } is missing before this",
    "but found another document": "a second document begins here; an experiment file holds one",
}


def read(path: Path) -> Document:
    """The document in a UTF-8 file; raises ExperimentError where it cannot be read or is not in order."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _error(str(path), f"cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise _error(str(path), "is over 1 MiB; an experiment file is a few kilobytes")
    try:
        return parse(raw.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _error(f"{path}:{line}", f"not UTF-8 text: found the byte 0x{raw[error.start]:02x}") from None


def parse(text: str, source: str) -> Document:
    """The document in ``text``; ``source`` is the file's name for messages.

    Raises ExperimentError with every problem that was found, each with line and column: wrong syntax, duplicate keys,
    keys that are no text, tags, merge keys, control characters, and trees past the limits of this module.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _error(source, "is over 1 MiB; an experiment file is a few kilobytes")
    root, data, builder = _load(text, source)
    if root is None:
        raise _error(f"{source}:1:1", "the file is empty; expected a mapping of sections")
    if not isinstance(data, dict):
        raise _error(f"{source}:{builder.place(root)}", f"expected a mapping of sections, found {shown(data)}")
    return Document(data, source, builder.lines)


def parse_value(text: str, where: str, key: str) -> PlainData:
    """The value in ``text`` by the same rules; an empty text is None. ``where`` and ``key`` are for messages."""
    try:
        root, data, _ = _load(text, where)
    except ExperimentError as error:
        raise ExperimentError(Problem(where, key, problem.message) for problem in error.problems) from None
    rest = text if root is None else text[root.end_mark.index :] if isinstance(root, yaml.ScalarNode) else ""
    if rest.strip():
        raise ExperimentError([Problem(where, key, f"{shown(rest.strip())} is a comment in YAML; quote the value")])
    return data


def _load(text: str, source: str) -> tuple[yaml.Node | None, Any, _Builder]:
    builder = _Builder(source)
    data = None
    try:
        loader = _Loader(text)
        root = _compose(loader)
        if root is not None:
            data = builder.build(root, ())
    except yaml.MarkedYAMLError as error:
        builder.refuse(error.problem_mark or error.context_mark, (), _syntax(error))
    except yaml.reader.ReaderError as error:
        builder.refuse_character(text, error.position)
    if builder.found:
        raise ExperimentError(problem for _, _, problem in sorted(builder.found, key=lambda entry: entry[:2]))
    return root, data, builder


def _compose(loader: _Loader) -> yaml.Node | None:
    try:
        root: yaml.Node | None = loader.get_single_node()
    except (ValueError, OverflowError):
        # PyYAML hands escapes like "\UFFFFFFFF" and endless version numbers to Python unchecked.
        raise yaml.MarkedYAMLError(None, None, "a number here is out of range", loader.get_mark()) from None
    return root


class _Loader(yaml.SafeLoader):
    """PyYAML's parser, stopped at the limits, with the scalars of YAML 1.2 (PyYAML's own are those of 1.1)."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        self.nodes += 1
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        _check_limits(self.depth - 1, self.nodes, mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def resolve(self, kind: type[yaml.Node], value: str, implicit: tuple[bool, bool]) -> str:
        if kind is not yaml.ScalarNode:
            return _TAG + ("seq" if kind is yaml.SequenceNode else "map")
        plain = implicit[0]
        return _TAG + (kind_of(value) if plain else "str")


class _Builder:
    """Python data from a node tree; gathers the line of every key and every problem on its way."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines: dict[KeyPath, int] = {}
        self.found: list[tuple[int, int, Problem]] = []
        self._nodes = 0
        self._open: list[yaml.Node] = []

    def place(self, node: yaml.Node) -> str:
        return f"{node.start_mark.line + 1}:{node.start_mark.column + 1}"

    def refuse(self, mark: yaml.Mark | None, path: KeyPath, message: str) -> None:
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        self.found.append((line, column, Problem(f"{printable(self.source)}:{line}:{column}", dotted(path), message)))

    def refuse_character(self, text: str, position: int) -> None:
        line = text.count("\n", 0, position)
        mark = yaml.Mark(self.source, position, line, position - text.rfind("\n", 0, position) - 1, None, 0)
        self.refuse(mark, (), f"the character U+{ord(text[position]):04X} is not allowed in YAML")

    def build(self, node: yaml.Node, path: KeyPath) -> PlainData:
        self._nodes += 1
        _check_limits(len(path), self._nodes, node.start_mark)
        self.lines.setdefault(path, node.start_mark.line + 1)
        if any(node is ancestor for ancestor in self._open):
            raise yaml.MarkedYAMLError(None, None, "an alias stands inside the value that it names", node.start_mark)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._open.append(node)
        data = self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._list(node, path)
        self._open.pop()
        return data

    def _mapping(self, node: yaml.Node, path: KeyPath) -> dict[str, Any]:
        self._check_tag(node, path, "map")
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            if key in data:
                first = self.lines[(*path, key)]
                self.refuse(key_node.start_mark, (*path, key), f"duplicate key; it stands in line {first} already")
                continue
            self._nodes += 1
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            data[key] = self.build(value_node, (*path, key))
        return data

    def _list(self, node: yaml.Node, path: KeyPath) -> list[Any]:
        self._check_tag(node, path, "seq")
        return [self.build(item, (*path, position)) for position, item in enumerate(node.value)]

    def _key(self, node: yaml.Node, path: KeyPath) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self.refuse(node.start_mark, path, "a key must be text; found a mapping or a list as key")
        elif node.value == "<<" and node.style is None:
            self.refuse(node.start_mark, path, "merge keys (<<) are not supported; write the keys out")
        elif node.tag != _TAG + "str":
            self.refuse(node.start_mark, path, f"a key must be text; found {printable(node.value) or 'nothing'} as key")
        else:
            return self._text(node, path)
        return None

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> PlainData:
        kind = node.tag.removeprefix(_TAG)
        if kind == "str":
            return self._text(node, path)
        if not fits(node.value, kind):
            self.refuse(node.start_mark, path, f"the tag {_shown_tag(node.tag)} cannot stand here; remove it")
            return None
        try:
            return convert(node.value, kind)
        except OverflowError:
            number = shown(node.value)[1:-1]
            self.refuse(node.start_mark, path, f"the number {number} is too large")
            return None

    def _text(self, node: yaml.ScalarNode, path: KeyPath) -> str:
        text = str(node.value)
        if control := _CONTROL.search(text):
            self.refuse(node.start_mark, path, f"the text holds the character U+{ord(control[0]):04X}; remove it")
        return text

    def _check_tag(self, node: yaml.Node, path: KeyPath, expected: str) -> None:
        if node.tag != _TAG + expected:
            self.refuse(node.start_mark, path, f"the tag {_shown_tag(node.tag)} cannot stand here; remove it")


def _check_limits(depth: int, nodes: int, mark: yaml.Mark) -> None:
    if depth > MAX_DEPTH:
        raise yaml.MarkedYAMLError(None, None, f"nested more than {MAX_DEPTH} levels deep", mark)
    if nodes > MAX_NODES:
        raise yaml.MarkedYAMLError(None, None, f"more than {MAX_NODES} values (aliases count each time)", mark)


def _syntax(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "not valid YAML"
    words = next((plain for beginning, plain in _PLAIN_WORDS.items() if problem.startswith(beginning)), problem)
    start = error.context_mark
    if start is None or error.problem_mark is None or start.line == error.problem_mark.line:
        return printable(words)
    return printable(f"{words} ({error.context}, which begins in line {start.line + 1})")


def _shown_tag(tag: str) -> str:
    return printable(tag.replace(_TAG, "!!"))[:60]


def _error(where: str, message: str) -> ExperimentError:
    return ExperimentError([Problem(printable(where), "", message)])
