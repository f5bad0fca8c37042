"""A reader of the pickles that CIFAR comes in: dicts, lists, tuples, numbers, texts and uint8 arrays, and nothing else.

Python's own unpickler calls whatever a file names. Here `pickletools` only cuts the file into its operations, and those
that such a file needs are carried out one by one; no name in the file is ever imported.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgclf.datasets.stored.strict import GET_AGAIN
from imgclf.errors import ImgclfError
from imgclf.images.quiet import without_warnings

MOST_OPERATIONS = 2**20  # the training images of CIFAR-100 take 250,000, and each may leave a dict on the stack
MOST_DIMENSIONS = 4
SHOWN = 80  # characters of a text of the file in a message

_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_MAKERS: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_VALUES = {"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES"}
_OLD_TEXTS = {"BINSTRING", "SHORT_BINSTRING"}  # Python 2's str: bytes
_SHORT_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS, _GETS = {"BINPUT", "LONG_BINPUT", "MEMOIZE"}, {"BINGET", "LONG_BINGET"}
_IGNORED = {"PROTO", "FRAME"}
_RECONSTRUCT = {"numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct"}
_ARRAY, _DTYPE, _ENCODE = "numpy ndarray", "numpy dtype", "_codecs encode"
_NAMES = {*_RECONSTRUCT, _ARRAY, _DTYPE, _ENCODE}


class _RefusedError(ValueError):
    """The file holds what no file of this kind needs."""


@dataclass(frozen=True)
class _Name:
    text: str


@dataclass
class _Array:
    """An array of which only the place is known, until its state comes."""

    array: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class _Dtype:
    code: str


def read_narrow_pickle(content: bytes, path: Path) -> Any:
    """The value that a pickle holds. Python 2's texts come as bytes.

    Raises ImgclfError that names what the file holds beside dicts, lists, tuples, numbers, texts and uint8 arrays.
    """
    try:
        with without_warnings():  # pickletools reads old texts with their escapes, also those of damaged files
            return _Machine(len(content)).run(content)
    except _RefusedError as error:
        hint = f"Nothing of the file was run. {GET_AGAIN}"
        raise ImgclfError(f"{path}: not a pickle of plain arrays: holds {error}", hint=hint) from error
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise ImgclfError(f"{path}: not a pickle, or damaged: {error}", hint=GET_AGAIN) from error


class _Machine:
    """The stack and the memo of a pickle that is read; no more bytes are made of its texts than it has itself."""

    def __init__(self, content_bytes: int) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._bytes_left = content_bytes

    def run(self, content: bytes) -> Any:
        for number, (operation, argument, _) in enumerate(pickletools.genops(content)):
            if operation.name == "STOP":
                return _finished(self._stack[-1])
            if number >= MOST_OPERATIONS:
                raise _RefusedError(f"more than {MOST_OPERATIONS:,} operations")
            self._do(operation.name, argument)
        raise ValueError("it has no end")

    def _do(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _VALUES:
            stack.append(argument)
        elif name in _OLD_TEXTS:
            stack.append(argument.encode("latin-1"))
        elif name in _PUTS:
            self._memo[len(self._memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in _GETS:
            stack.append(self._memo[argument])
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _MAKERS:
            stack.append(_MAKERS[name]())
        elif name == "MARK":
            stack.append(_MARK)
        elif name in _SHORT_TUPLES:
            stack.append(tuple(self._pop(_SHORT_TUPLES[name])))
        elif name not in _IGNORED:
            self._compose(name, argument)

    def _compose(self, name: str, argument: Any) -> None:
        """The operations that put values together."""
        stack = self._stack
        if name == "TUPLE":
            stack.append(tuple(self._since_mark()))
        elif name in ("APPEND", "APPENDS"):
            items = self._since_mark() if name == "APPENDS" else self._pop(1)
            _as(list, stack[-1]).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = self._since_mark() if name == "SETITEMS" else self._pop(2)
            # Judged before they are hashed, which recurses into tuples without a bound.
            keys = [_plain_key(key) for key in items[::2]]
            _as(dict, stack[-1]).update(zip(keys, items[1::2], strict=True))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            stack.append(_name(argument if name == "GLOBAL" else " ".join(self._pop(2))))
        elif name == "REDUCE":
            called, arguments = self._pop(2)
            made = _called(called, arguments)
            if isinstance(made, bytes):
                self._spend(len(made))
            stack.append(made)
        elif name == "BUILD":
            (state,) = self._pop(1)
            _build(stack[-1], state)
        else:
            raise _RefusedError(f"the operation {name}")

    def _pop(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise IndexError("its stack is empty")
        popped = self._stack[-count:]
        del self._stack[-count:]
        return popped

    def _since_mark(self) -> list[Any]:
        # From the end: what is passed is taken off, so that a file of marks is read in the time that its size needs.
        for place in range(len(self._stack) - 1, -1, -1):
            if self._stack[place] is _MARK:
                return self._pop(len(self._stack) - place)[1:]
        raise IndexError("a mark is missing on its stack")

    def _spend(self, count: int) -> None:
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise _RefusedError("texts that become more bytes than the file has")


def _as(kind: type[Any], value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"a {kind.__name__} must come before its items; got {type(value).__name__}")
    return value


def _name(text: str) -> _Name:
    if text not in _NAMES:
        raise _RefusedError(f"the name {text[:SHOWN].replace(' ', '.')!r}, which it asks to be called")
    return _Name(text)


def _called(called: Any, arguments: Any) -> Any:
    """What a call would return that only makes an array, a type or bytes."""
    name = called.text if isinstance(called, _Name) else ""
    if name in _RECONSTRUCT and arguments[0] == _Name(_ARRAY):
        return _Array()
    if name == _DTYPE and isinstance(arguments[0], str | bytes):
        code = arguments[0]
        return _Dtype(code.decode("ascii", "replace") if isinstance(code, bytes) else code)
    if name == _ENCODE and len(arguments) == 2 and arguments[1] in ("latin1", "latin-1"):
        encoded: bytes = _as(str, arguments[0]).encode("latin-1")
        return encoded
    raise _RefusedError(f"a call of {name.replace(' ', '.') or type(called).__name__}")


def _build(target: Any, state: Any) -> None:
    if isinstance(target, _Dtype):
        return  # byte order and flags, which one byte has no use for
    if not isinstance(target, _Array):
        raise _RefusedError(f"a state for a {type(target).__name__}")
    _version, shape, dtype, is_fortran, raw = state
    if dtype != _Dtype("u1") or is_fortran or not isinstance(raw, bytes):
        code = dtype.code[:SHOWN] if isinstance(dtype, _Dtype) else type(dtype).__name__
        raise _RefusedError(f"an array of another type or order than uint8 in C order ({code})")
    if not _fits(shape, len(raw)):
        raise ValueError(f"an array must have as many bytes as its shape declares; got {len(raw):,}")
    target.array = np.frombuffer(raw, np.uint8).reshape(shape)


def _fits(shape: Any, size: int) -> bool:
    """Whether an array of this shape has so many bytes. Nothing is printed of it: it may be anything."""
    is_shape = isinstance(shape, tuple) and len(shape) <= MOST_DIMENSIONS
    return is_shape and all(type(side) is int and 0 <= side <= size for side in shape) and math.prod(shape) == size


def _finished(value: Any) -> Any:
    """The value with its arrays in their places."""
    if isinstance(value, dict):
        return {key: _finished_item(item) for key, item in value.items()}
    return _finished_item(value)


def _plain_key(key: Any) -> str:
    if not isinstance(key, str | bytes):
        raise _RefusedError(f"a key of type {type(key).__name__}")
    return key.decode("latin-1") if isinstance(key, bytes) else key


def _finished_item(item: Any) -> Any:
    if isinstance(item, _Array):
        if item.array is None:
            raise ValueError("an array without its data")
        return item.array
    if isinstance(item, _Name | _Dtype):
        raise _RefusedError("a bare name")
    return item
