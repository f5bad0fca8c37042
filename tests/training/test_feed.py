from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import pytest

from imgclf.augmentation.base import Draws
from imgclf.augmentation.shift import Shift
from imgclf.datasets.base import ArrayPixels
from imgclf.training.feed import Feed, Span, spans
from imgclf.training.order import Order

IMAGES, BATCH = 50, 8  # 6 steps an epoch


@dataclass
class FailingPixels:
    """Pixels of a disk that fails at the third reading."""

    read: list[int] = field(default_factory=list)

    def take(self, indices: np.ndarray) -> np.ndarray:
        self.read.append(len(indices))
        if len(self.read) == 3:
            raise OSError("the disk is gone")
        return np.zeros((len(indices), 2, 2, 1), np.uint8)


def make_feed(pixels: object | None = None) -> Feed:
    numbers = np.arange(IMAGES)
    # Each image holds its own number, and so does its label.
    array = np.broadcast_to(numbers[:, None, None, None], (IMAGES, 2, 2, 1)).astype(np.uint8)
    draws = Draws((Shift(name="shift"),), IMAGES, seed=5)
    order = Order(IMAGES, BATCH, seed=5)
    return Feed(pixels or ArrayPixels(array), numbers[:, None].astype(np.int32), order, draws, BATCH)


def feeding_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "imgclf-feed"]


def test_images_labels_and_numbers_of_a_chunk_belong_together() -> None:
    feed = make_feed()
    chunk = feed.read(Span(first=8, epoch=1, step=2, steps=3))
    assert chunk.images.shape == (3, BATCH, 2, 2, 1)
    assert chunk.images.dtype == np.uint8
    assert chunk.labels.shape == (3, BATCH, 1)
    assert chunk.numbers.shape == (3, BATCH, 2)
    assert np.array_equal(chunk.images[..., 0, 0, 0], chunk.labels[..., 0])
    wanted = Draws((Shift(name="shift"),), IMAGES, seed=5).take(1, chunk.labels[..., 0].reshape(-1))
    assert np.array_equal(chunk.numbers.reshape(-1, 2), wanted)


@pytest.mark.parametrize("longest", [2, 5, 100])
def test_the_length_of_chunks_does_not_change_what_is_trained_on(longest: int) -> None:
    singly = np.concatenate([chunk.labels for chunk in make_feed().chunks(spans(0, 20, 6, 1, ()))])
    together = np.concatenate([chunk.labels for chunk in make_feed().chunks(spans(0, 20, 6, longest, ()))])
    assert singly.shape == (20, BATCH, 1)
    assert np.array_equal(singly, together)


def test_an_error_of_the_pixels_reaches_whoever_trains() -> None:
    pixels, seen = FailingPixels(), 0
    with pytest.raises(OSError, match="the disk is gone"):  # noqa: PT012 - the chunks before it must come through
        for _ in make_feed(pixels).chunks(spans(0, 6, 6, 1, ())):
            seen += 1
    assert seen == 2
    assert feeding_threads() == []


def test_the_reading_thread_ends_when_the_consumer_leaves_early() -> None:
    pixels = FailingPixels()
    for _ in make_feed(pixels).chunks(spans(0, 2, 6, 1, ())):
        break
    assert feeding_threads() == []


def test_the_reading_thread_ends_with_the_last_chunk() -> None:
    assert len(list(make_feed().chunks(spans(0, 6, 6, 2, ())))) == 3
    assert feeding_threads() == []


def test_the_next_chunk_is_read_while_one_is_used_and_no_more_than_two_ahead() -> None:
    pixels = FailingPixels(read=[0] * 3)  # past its failing
    chunks = make_feed(pixels).chunks(spans(0, 6, 6, 1, ()))
    next(chunks)
    until = time.monotonic() + 5
    while len(pixels.read) < 6 and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.15)
    assert len(pixels.read) - 3 == 3  # the one in use, one that is ready, one that waits for its place
    chunks.close()


def test_spans_cover_every_step_once_and_in_order() -> None:
    cut = spans(0, 31, 6, 4, (5,))
    assert [step for span in cut for step in range(span.first, span.first + span.steps)] == list(range(31))
    assert all(span.steps <= 4 for span in cut)
    assert all((span.epoch, span.step) == divmod(span.first, 6) for span in cut)


def test_spans_end_with_epochs_and_at_every_stop() -> None:
    ends = {span.first + span.steps for span in spans(0, 31, 6, 100, (5, 7))}
    assert ends == {6, 12, 18, 24, 30} | {5, 10, 15, 20, 25, 30} | {7, 14, 21, 28} | {31}


def test_a_run_of_any_length_begins_at_once() -> None:
    first = list(islice(spans(0, 10**15, 10, 4, ()), 3))
    assert [(span.first, span.steps) for span in first] == [(0, 4), (4, 4), (8, 2)]
