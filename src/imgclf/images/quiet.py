"""Warnings of readers that concern no pixel, such as Pillow's of broken metadata, kept from the screen."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Python keeps its warning filters for the whole process, so one thread at a time may set them aside.
_LOCK = threading.Lock()


@contextmanager
def without_warnings() -> Iterator[None]:
    """What is done inside warns of nothing; other threads that come here wait."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
