"""How TensorFlow is started: which of its kernels, and without the packages that Keras would load for nothing."""

from __future__ import annotations

import logging
import os
import sys

# Keras imports these where they are installed, for features that this program does not use. Measured on two cores:
# 2 of 4.7 seconds of the import and 120 of 670 MB.
_NOT_NEEDED_BY_KERAS = ("sklearn", "scipy", "matplotlib", "cv2", "PIL", "pandas")


def choose_kernels() -> None:
    """Ask for oneDNN's kernels unless the user has said otherwise; without effect once TensorFlow is imported.

    TensorFlow turns them on by itself only on processors with AVX512-VNNI or newer. Measured on one with AVX2, two
    threads: LeNet trains 1.7 times as fast with them.
    """
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
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


def _is_no_retracing(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()
