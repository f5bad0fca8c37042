from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Attack = Callable[..., Any]

ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 10)
)
ATTACKS: dict[str, tuple[str, str]] = {
    "aliases that grow to ten billion values": (ALIASES, "more than 10000 values (aliases count each time)"),
    "an alias inside of what it names": ("dataset: &a [*a]\n", "an alias stands inside the value that it names"),
    "a list in a list, 100,000 times": ("[" * 100_000, "nested more than 32 levels deep"),
    "a mapping in a mapping, 100,000 times": ("{a: " * 100_000, "nested more than 32 levels deep"),
    "twenty megabytes": ("# " + "x" * 20_000_000, "is over 1 MiB"),
    "a call by a tag": (
        "dataset: !!python/object/apply:os.system ['touch pwned']\n",
        "the tag !!python/object/apply:os.system cannot stand here",
    ),
    "a class by a tag": (
        "dataset: !!python/object/new:subprocess.Popen [[touch, pwned]]\n",
        "the tag !!python/object/new:subprocess.Popen cannot stand here",
    ),
    "a number of a million digits": ("seed: " + "9" * 1_000_000, "is too large"),
    "an escape sequence in a key": ('"\\e]0;title\\a": 1\n', "the text holds the character U+001B"),
    "an escape sequence as it is": ("seed: \x1b[2J\n", "the character U+001B is not allowed"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_experiment_file_is_refused(name: str, attack: Attack, work: Path) -> None:
    text, message = ATTACKS[name]
    (work / "evil.yaml").write_text(text)
    assert message in attack("config", "check", "evil.yaml", status=2).error()
