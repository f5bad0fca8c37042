"""Image classification from one YAML file.

The Python interface is `imgclf.train` and `imgclf.load_run`; everything else is private to the program.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["load_run", "train"]

if TYPE_CHECKING:
    from imgclf.run import load_run
    from imgclf.train import train


class _Package(ModuleType):
    """Imports the interface when it is asked for, so that `import imgclf` costs nothing.

    Python binds a submodule to its package when it is first imported; `imgclf.train` must stay the function.
    """

    @property
    def train(self) -> Callable[..., Any]:
        from imgclf.train import train

        return train

    @train.setter
    def train(self, module: ModuleType) -> None:
        """The submodule stays in sys.modules."""

    @property
    def load_run(self) -> Callable[..., Any]:
        from imgclf.run import load_run

        return load_run


sys.modules[__name__].__class__ = _Package
