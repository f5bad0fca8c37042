"""Which device trains, and the strategy that lays the work on it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from imgclf.errors import ImgclfError

if TYPE_CHECKING:
    import tensorflow as tf

DeviceChoice = Literal["auto", "cpu", "gpu"]


@dataclass(frozen=True)
class Devices:
    """The devices of a run: kind (cpu or gpu), names, the strategy over them, and a line that says why.

    ``threads`` is how many of the processor's threads one operation may use.
    """

    kind: Literal["cpu", "gpu"]
    names: tuple[str, ...]
    strategy: tf.distribute.Strategy
    note: str
    threads: int


def choose_devices(choice: DeviceChoice, threads: int | None) -> Devices:
    """The devices for ``choice``: every GPU that TensorFlow sees, or the processor.

    ``threads`` bounds the processor's threads for one operation; None leaves it to TensorFlow: as many as cores. From
    here on float32 is float32 in this whole process: no GPU rounds the factors of its products to 10 bits (TF32).
    Raises ImgclfError where a GPU is asked for and there is none, or where TensorFlow was already started otherwise.
    """
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    if choice == "gpu" and not gpus:
        raise ImgclfError(
            f"device gpu: {_why_no_gpu()}",
            hint="install imgclf[gpu] on a machine with an NVIDIA GPU, or use --device cpu",
        )
    tf.config.experimental.enable_tensor_float_32_execution(False)
    kind: Literal["cpu", "gpu"] = "gpu" if gpus and choice != "cpu" else "cpu"
    _configure(kind, threads)
    names = tuple(device.name for device in tf.config.list_logical_devices(kind.upper()))
    strategy = tf.distribute.MirroredStrategy(names) if len(names) > 1 else tf.distribute.OneDeviceStrategy(names[0])
    return Devices(kind, names, strategy, _note(choice, kind), _threads())


def make_deterministic(devices: Devices) -> None:
    """Have TensorFlow compute the same bits each time, in this whole process; on a processor it does so anyway."""
    import tensorflow as tf

    if devices.kind == "gpu":
        tf.config.experimental.enable_op_determinism()


def _configure(kind: str, threads: int | None) -> None:
    import tensorflow as tf

    try:
        if threads is not None and threads != _threads():
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        if kind == "cpu":
            tf.config.set_visible_devices([], "GPU")
        for gpu in tf.config.get_visible_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError as error:
        raise ImgclfError(
            f"TensorFlow was already started in this process and its devices can't be changed: {error}",
            hint="use one device and one number of threads in a process",
        ) from error


def _threads() -> int:
    """The threads that TensorFlow uses for one operation; it counts 0 as all cores that the process may use."""
    import tensorflow as tf

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return int(tf.config.threading.get_intra_op_parallelism_threads() or cores or 1)


def _note(choice: DeviceChoice, kind: str) -> str:
    if kind == "gpu":
        import tensorflow as tf

        details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.get_visible_devices("GPU")]
        return "GPU: " + ", ".join(str(detail.get("device_name", "unnamed")) for detail in details)
    return "CPU" if choice == "cpu" else f"CPU: {_why_no_gpu()}"


def _why_no_gpu() -> str:
    import tensorflow as tf

    if not tf.test.is_built_with_cuda():
        return "this TensorFlow was built without CUDA"
    if tf.config.list_physical_devices("GPU"):
        return "this process turned the GPU off when it used the processor before"
    return "TensorFlow sees no GPU (no driver, or CUDA's libraries are not installed)"
