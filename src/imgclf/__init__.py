"""Image classification from one YAML file.

The Python interface is :func:`train` and :func:`load_run`; everything else is private to the program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["load_run", "train"]

if TYPE_CHECKING:
    from imgclf.predict import load_run
    from imgclf.train import train


def __getattr__(name: str) -> object:
    """Import the interface when it is asked for, so that `import imgclf` costs nothing."""
    if name == "train":
        from imgclf.train import train

        return train
    if name == "load_run":
        from imgclf.predict import load_run

        return load_run
    raise AttributeError(f"module 'imgclf' has no attribute {name!r}")
