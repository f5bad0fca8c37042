"""How TensorFlow is started: its kernels, its memory, and without the packages that Keras would load for nothing."""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import sys

# Keras imports these where they are installed, for features that this program does not use. Measured on two cores:
# 2 of 4.7 seconds of the import and 120 of 670 MB.
_NOT_NEEDED_BY_KERAS = ("sklearn", "scipy", "matplotlib", "cv2", "PIL", "pandas")

# With oneDNN's kernels TensorFlow keeps all memory that it has ever had, in pieces that soon fit nothing: a step of
# Adam on one large layer took 8.6 times the weights, where 6 are in use. The C library gives memory back; left to
# itself it does so at once above 32 MB, which cost a convolutional network with large maps 40 % more processor time
# (page faults). Told to map and unmap only what exceeds KEPT_BYTES, and to take the rest from one heap, it took 3 %.
# Maps above KEPT_BYTES (200 photographs of 150x150 with 64 channels) still made a run take 1.4 times as long, so
# that a network for which there is plenty of memory keeps all: 45 s became 32.
KEPT_BYTES = 2**30
MAPS = 2**16  # how many pieces may be mapped: glibc's own number
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -3, -4, -8  # mallopt(3)

_ALLOCATOR = "TF_ONEDNN_USE_SYSTEM_ALLOCATOR"
_ALLOCATOR_SETTING = "MALLOC_MMAP_THRESHOLD_"
_ALLOCATOR_IS_OURS = "IMGCLF_SYSTEM_ALLOCATOR"  # child processes inherit both, and know by it that no user chose


def choose_kernels() -> None:
    """Ask for oneDNN's kernels unless the user has said otherwise; without effect once TensorFlow is imported.

    Where the C library is glibc, TensorFlow takes its memory from there, and large pieces go back when they are freed;
    ``TF_ONEDNN_USE_SYSTEM_ALLOCATOR`` and glibc's own ``MALLOC_MMAP_THRESHOLD_`` go before.

    TensorFlow turns them on by itself only on processors with AVX512-VNNI or newer. Measured on one with AVX2, two
    threads: LeNet trains 1.7 times as fast with them.
    """
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
        _give_memory_back()
    # Each model has functions of its own, traced once; several of one name look to TensorFlow like one that is traced
    # again and again.
    logger = logging.getLogger("tensorflow")
    if _is_no_retracing not in logger.filters:
        logger.addFilter(_is_no_retracing)


def import_lean() -> None:
    """Import TensorFlow and Keras for a process that is all ours, hiding from Keras what it does not need."""
    choose_kernels()
    hidden = [name for name in _NOT_NEEDED_BY_KERAS if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it fails, which Keras expects
    try:
        import keras  # noqa: F401
        import tensorflow  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]


def keep_freed_memory(is_all: bool) -> str:
    """Have this process keep all that it frees from now on, or only pieces up to KEPT_BYTES; says what it does.

    Nothing is changed where the user has chosen how memory is allocated, or where the C library is not glibc.
    """
    if not os.environ.get(_ALLOCATOR_IS_OURS) or _ALLOCATOR_SETTING in os.environ:
        return "as the system has it"
    kept = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1} if is_all else {_MMAP_MAX: MAPS, _TRIM_THRESHOLD: KEPT_BYTES}
    if not _tell_malloc(kept):
        return "as the C library has it: it refused what it was told"
    return "all is kept" if is_all else f"pieces above {KEPT_BYTES:,} bytes are given back"


def _give_memory_back() -> None:
    is_users = os.environ.get(_ALLOCATOR) != os.environ.get(_ALLOCATOR_IS_OURS)
    if is_users or platform.libc_ver()[0] != "glibc":
        return
    # Of all heaps, only the main one can hold a large layer: others would map and unmap it each time.
    kept = {_MMAP_THRESHOLD: KEPT_BYTES, _TRIM_THRESHOLD: KEPT_BYTES, _ARENA_MAX: 1}
    if _ALLOCATOR_SETTING in os.environ or _tell_malloc(kept):
        os.environ[_ALLOCATOR] = os.environ[_ALLOCATOR_IS_OURS] = "1"


def _tell_malloc(options: dict[int, int]) -> bool:
    """False where the C library refuses (mallopt returns 0)."""
    library = ctypes.CDLL(None)
    return all(library.mallopt(option, value) == 1 for option, value in options.items())


def _is_no_retracing(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()
