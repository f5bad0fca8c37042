"""Chunks of steps for the compiled call, made by a thread while the one before is trained on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgclf.augmentation.base import Draws
from imgclf.inference import Takes
from imgclf.training.order import Order


@dataclass(frozen=True)
class Span:
    """Steps that are trained in one call: ``steps`` from ``step`` of ``epoch`` on.

    ``first`` is the first of them, counted from the run's start.
    """

    first: int
    epoch: int
    step: int
    steps: int


@dataclass(frozen=True)
class Chunk:
    """A span's images (steps, batch, height, width, channels), labels (steps, batch, targets), and random numbers."""

    span: Span
    images: NDArray[Any]
    labels: NDArray[np.int32]
    numbers: NDArray[np.float32]


@dataclass(frozen=True)
class Feed:
    """Reads the images of spans, in order, up to two spans ahead of whoever iterates: one waits, one is being read."""

    pixels: Takes
    labels: NDArray[np.int32]
    order: Order
    draws: Draws
    batch: int

    def chunks(self, spans: Iterable[Span]) -> Iterator[Chunk]:
        """The chunks of ``spans``; an error of the reading thread is raised here."""
        ready: queue.Queue[Chunk | BaseException | None] = queue.Queue(maxsize=1)
        left = threading.Event()

        def read() -> None:
            try:
                for span in spans:
                    if not _put(ready, self.read(span), left):
                        return
                _put(ready, None, left)
            except BaseException as error:  # raised again by the thread that trains
                _put(ready, error, left)

        thread = threading.Thread(target=read, name="imgclf-feed", daemon=True)
        thread.start()
        try:
            while (chunk := ready.get()) is not None:
                if isinstance(chunk, BaseException):
                    raise chunk
                yield chunk
        finally:
            left.set()
            thread.join()

    def read(self, span: Span) -> Chunk:
        """The chunk of one span."""
        indices = self.order.indices(span.epoch, span.step, span.steps)
        images = self.pixels.take(indices)
        numbers = self.draws.take(span.epoch, indices)
        cut = (span.steps, self.batch)
        return Chunk(
            span,
            images.reshape(*cut, *images.shape[1:]),
            self.labels[indices].reshape(*cut, -1),
            numbers.reshape(*cut, self.draws.width),
        )


def _put(
    ready: queue.Queue[Chunk | BaseException | None], item: Chunk | BaseException | None, left: threading.Event
) -> bool:
    while not left.is_set():
        try:
            ready.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False


def spans(first: int, last: int, steps_per_epoch: int, longest: int, stops: tuple[int, ...]) -> Iterator[Span]:
    """The steps from ``first`` to ``last`` cut into spans of at most ``longest``.

    A span also ends where an epoch does, and at every multiple of each of ``stops`` (validation, summaries).
    """
    step = first
    while step < last:
        epoch, within = divmod(step, steps_per_epoch)
        ends = [step + longest, last, (epoch + 1) * steps_per_epoch]
        ends += [(step // stop + 1) * stop for stop in stops]
        yield Span(step, epoch, within, min(ends) - step)
        step = min(ends)
