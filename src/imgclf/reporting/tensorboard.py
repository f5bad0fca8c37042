"""What is written for TensorBoard."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

HISTOGRAM_SAMPLES = 100_000

_SEGMENT = re.compile(r"\.after-(\d+)\.v2$")
_NUMBERED = re.compile(r"tfevents\.(\d+)\..*\.(\d+)\.after-\d+\.v2$")  # second of its start, number in its process


class TensorboardLog:
    """Two logs, ``train`` and ``validation``, in one folder.

    Each is a row of files, one a segment of the run; a file's name ends in the step that its segment starts after.
    """

    def __init__(self, folder: Path, step: int = 0) -> None:
        """Go on after ``step`` steps: segments from there on, of a process that was cut off, are removed."""
        self._folder, self._step = folder, step
        self._writers: dict[str, Any] = {}
        for file in folder.glob("*/events.out.tfevents.*"):
            if (found := _SEGMENT.search(file.name)) and int(found[1]) >= step:
                file.unlink()

    def start_segment(self, step: int) -> None:
        """End the files: what follows step ``step`` goes into others."""
        self.close()
        self._step = step

    def scalars(self, row: dict[str, Any]) -> None:
        """Loss and accuracy of a row of metrics under one name each in both logs, and the learning rate."""
        import tensorflow as tf

        step = row["step"]
        with self._writer("train").as_default(step):
            for name in ("loss", "accuracy", "learning_rate"):
                if row[name] is not None:
                    tf.summary.scalar(name, row[name])
        if row["validation_loss"] is not None:
            with self._writer("validation").as_default(step):
                tf.summary.scalar("loss", row["validation_loss"])
                tf.summary.scalar("accuracy", row["validation_accuracy"])
        self.flush()

    def graph(self, model: keras.Model) -> None:
        """The network's graph of operations on a batch of one image."""
        import tensorflow as tf

        call = tf.function(lambda images: model(images, training=False))
        concrete = call.get_concrete_function(tf.TensorSpec((1, *model.input_shape[1:]), tf.float32))
        with self._writer("train").as_default(0):
            tf.summary.graph(concrete.graph)

    def tensors(self, step: int, named: Iterable[tuple[str, NDArray[Any]]]) -> None:
        """Mean, standard deviation, minimum, maximum and histogram of each tensor.

        The four numbers are of all values; a histogram is of every n-th value where there are over 100,000.
        """
        import tensorflow as tf

        with self._writer("train").as_default(step):
            for name, values in named:
                tf.summary.scalar(f"{name}/mean", np.mean(values, dtype=np.float64))
                tf.summary.scalar(f"{name}/standard_deviation", np.std(values, dtype=np.float64))
                tf.summary.scalar(f"{name}/minimum", np.min(values))
                tf.summary.scalar(f"{name}/maximum", np.max(values))
                tf.summary.histogram(f"{name}/histogram", _sample(values))

    def filters(self, step: int, model: keras.Model) -> bool:
        """The first convolution's filters as grey images, stretched to black and white; False where there is none."""
        import tensorflow as tf

        kernels = [layer.kernel for layer in model.layers if getattr(layer, "kernel", None) is not None]
        kernels = [np.asarray(kernel) for kernel in kernels if len(kernel.shape) == 4]
        if not kernels:
            return False
        images = filter_images(kernels[0])
        with self._writer("train").as_default(step):
            tf.summary.image("filters", images, max_outputs=len(images))
        return True

    def flush(self) -> None:
        """Write what is held back."""
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """End both logs."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _writer(self, log: str) -> Any:
        """The log's file for the present segment, which is made when there is something to write."""
        import tensorflow as tf

        if log not in self._writers:
            _wait_for_order(self._folder / log)
            ending = f".after-{self._step:08d}.v2"
            self._writers[log] = tf.summary.create_file_writer(str(self._folder / log), filename_suffix=ending)
        return self._writers[log]


def _wait_for_order(folder: Path) -> None:
    """Wait for the next second where a file of this one would be sorted before the last: as 10 is before 9.

    TensorBoard reads files by their names, which have the second, and then the number without zeros in front.
    """
    now = time.time()
    found = [_NUMBERED.search(file.name) for file in folder.glob("events.out.tfevents.*")]
    numbers = [int(one[2]) for one in found if one and int(one[1]) == int(now)]
    if numbers and len(str(max(numbers) + 2)) > len(str(max(numbers))):  # two logs are numbered together
        time.sleep(1.01 - now % 1)


def projector_files(features: NDArray[np.float32], labels: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Name and text of the files from which TensorBoard's projector reads features (images, numbers) and class names.

    ``labels`` holds those by target. They belong into the folder of a log: the projector looks nowhere else.
    """
    from google.protobuf import text_format
    from tensorboard.plugins import projector

    # The projector takes the first line for names where there are several columns, and only there.
    rows = [*([tuple(labels)] if len(labels) > 1 else []), *zip(*labels.values(), strict=True)]
    config = projector.ProjectorConfig()
    config.embeddings.add(tensor_name="validation features", tensor_path="features.tsv", metadata_path="labels.tsv")
    return {
        "features.tsv": "\n".join("\t".join(f"{value:.6g}" for value in row) for row in features) + "\n",
        "labels.tsv": "\n".join("\t".join(" ".join(label.split()) for label in row) for row in rows) + "\n",
        "projector_config.pbtxt": text_format.MessageToString(config),
    }


def filter_images(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """One image a filter and input channel (grey) or a filter (three channels), each stretched to 0..1.

    ``kernel``: (height, width, channels, filters).
    """
    if kernel.shape[2] == 3:
        images = kernel.transpose(3, 0, 1, 2)
    else:
        images = kernel.reshape(*kernel.shape[:2], -1).transpose(2, 0, 1)[..., None]
    low, high = images.min(axis=(1, 2, 3), keepdims=True), images.max(axis=(1, 2, 3), keepdims=True)
    stretched: NDArray[np.float32] = (images - low) / np.maximum(high - low, 1e-12)
    return stretched


def _sample(values: NDArray[Any]) -> NDArray[Any]:
    """Every n-th value, flat, where there are over 100,000; n divides no axis, so that no channel is passed over."""
    stride = max(1, values.size // HISTOGRAM_SAMPLES)
    while math.gcd(stride, math.prod(values.shape[1:])) > 1:
        stride += 1
    return values.reshape(-1)[::stride]
