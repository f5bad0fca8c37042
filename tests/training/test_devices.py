from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from imgclf.errors import ImgclfError
from imgclf.training.devices import choose_devices

# The logical devices must be made before TensorFlow starts: a process of its own, that runs everything once.
TWO_DEVICES = """
import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

import keras
from imgclf.augmentation.cutmix import Cutmix
from imgclf.augmentation.mixup import Mixup
from imgclf.augmentation.rotate import Rotate
from imgclf.augmentation.shift import Shift
from imgclf.datasets.base import ArrayPixels
from imgclf.models.heads import build_model, cut
from imgclf.models.simple_cnn import SimpleCnn
from imgclf.preprocessing import PreprocessingSettings
from imgclf.preprocessing.fit import fit as fit_preprocessing
from imgclf.runs.weights import load_weights, save_weights
from imgclf.training.devices import choose_devices
from imgclf.training.dropout import Seeds
from imgclf.training.inspection import inspect
from imgclf.training.loop import fit
from imgclf.training.task import Images, Task
from imgclf.training.settings import TrainingSettings

two = choose_devices("cpu", None)
one = tf.distribute.OneDeviceStrategy("/device:CPU:0")
numbers = np.random.default_rng(0)
labels = numbers.integers(0, 3, (48, 1)).astype(np.int32)
images = numbers.integers(0, 60, (48, 8, 8, 1), np.uint8)
images[np.arange(48), 2 * labels[:, 0] + 1] += 90
split = Images(ArrayPixels(images), labels)
whitening = PreprocessingSettings(normalization={"name": "featurewise"}, whitening={"name": "zca", "epsilon": 0.1})
whitened = fit_preprocessing(whitening, split.pixels, (8, 8, 1)).preprocessing
norms = []


class Watcher:
    def __getattr__(self, name):
        return lambda *told: None

    def summarise(self, step, chunk):
        named = [values for name, values in inspect(step, chunk) if name.startswith("gradient/")]
        norms.append(float(np.sqrt(sum(np.sum(np.square(values)) for values in named))))


def run(strategy, augmentations=()):
    keras.utils.set_random_seed(0)
    model = SimpleCnn(name="simple_cnn", blocks=((3,),), batch_norm=True, flatten_dropout=0.0, dense_units=())
    settings = TrainingSettings(
        epochs=2, batch_size=16, steps_per_call=2, clip_norm=0.5, optimizer={"name": "sgd", "learning_rate": 0.5},
        tensorboard={"summaries_every": 3}, class_weight=(1.0, 2.0, 0.5),
        weight_average={"decay": 0.5},
    )
    with strategy.scope():
        network = build_model(model, (8, 8, 1), {"class": 3})
    weights = ((np.array([1, 2, 0.5], np.float32),),)
    stages = settings.resolved_stages()
    task = Task(network, *cut(network), strategy, settings, stages, whitened, augmentations, split, split, weights, 0)
    history = fit(task, Watcher()).history
    return network, history


def masks(strategy):
    with strategy.scope():
        layer = keras.layers.Dropout(0.5)
        inputs = keras.Input((200,))
        model = keras.Model(inputs, layer(inputs))
    seeds = Seeds(model, 0)

    def draw(step):
        context = tf.distribute.get_replica_context()
        seeds.set(step, context.replica_id_in_sync_group, strategy.num_replicas_in_sync)
        return model(tf.ones((1, 200)), training=True)

    call = tf.function(lambda step: strategy.run(draw, args=(step,)))
    steps = [tf.constant(step, tf.int64) for step in (0, 1, 0)]
    return [[mask.numpy()[0].tolist() for mask in strategy.experimental_local_results(call(step))] for step in steps]


single, single_history = run(one)
double, double_history = run(two.strategy)
of_plain = list(norms)
moving = (Shift(name="shift", fraction=0.1), Rotate(name="rotate"))
augmented = [
    [run(strategy, (*moving, mixing)) for strategy in (one, two.strategy)]
    for mixing in (Mixup(name="mixup", alpha=1.0), Cutmix(name="cutmix"))
]
trained = [[variable.numpy().tolist() for variable in model.variables] for model in (single, double)]
file = Path(sys.argv[1]) / "model.weights.h5"
save_weights(single, file)
load_weights(double, file)
replicas = [
    [copy.numpy().tolist() for copy in two.strategy.experimental_local_results(variable.value)]
    for variable in double.variables
]
json.dump(
    {
        "names": two.names,
        "trained": trained,
        "histories": [single_history, double_history],
        "norms": of_plain,
        "augmented": [
            [[[variable.numpy().tolist() for variable in model.variables], rows] for model, rows in runs]
            for runs in augmented
        ],
        "replicas": replicas,
        "masks": masks(two.strategy),
    },
    open(sys.argv[1] + "/result.json", "w"),
)
"""


ON_TWO_DEVICES = pytest.mark.slow  # logical devices are made before TensorFlow starts: a process of its own


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("two-devices")
    ask = [sys.executable, "-c", TWO_DEVICES, str(folder)]
    done = subprocess.run(ask, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result


@ON_TWO_DEVICES
def test_a_run_on_two_devices_equals_that_on_one_within_rounding(two: dict[str, Any]) -> None:
    assert two["names"] == ["/device:CPU:0", "/device:CPU:1"]
    single, double = two["trained"]
    assert len(single) == 7  # kernel; gamma, beta, moving mean and variance; the head's kernel and bias
    for one, other in zip(single, double, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)


@ON_TWO_DEVICES
def test_the_rows_of_two_devices_are_those_of_one(two: dict[str, Any]) -> None:
    for one, other in zip(*two["histories"], strict=True):
        assert other == pytest.approx(one, rel=1e-4)


@ON_TWO_DEVICES
def test_augmented_and_mixed_images_are_the_same_on_two_devices(two: dict[str, Any]) -> None:
    plain, _ = two["trained"]
    for (single, rows), (double, other_rows) in two["augmented"]:
        assert not np.allclose(single[0], plain[0], rtol=1e-2)
        for one, other in zip(single, double, strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)
        for row, other_row in zip(rows, other_rows, strict=True):
            assert other_row == pytest.approx(row, rel=1e-4)


@ON_TWO_DEVICES
def test_clipping_is_of_the_sum_over_devices(two: dict[str, Any]) -> None:
    norms = np.array(two["norms"])  # of both runs, clipped, every third step of six
    assert norms[:2] == pytest.approx(norms[2:], rel=1e-4)
    assert norms.max() == pytest.approx(0.5, rel=1e-5)


@ON_TWO_DEVICES
def test_loaded_weights_reach_every_device(two: dict[str, Any]) -> None:
    for copies, wanted in zip(two["replicas"], two["trained"][0], strict=True):
        assert len(copies) == 2
        for copy in copies:
            assert np.array_equal(copy, wanted)


@ON_TWO_DEVICES
def test_dropout_masks_differ_by_device_and_step_and_can_be_drawn_again(two: dict[str, Any]) -> None:
    first, second, again = np.array(two["masks"]) != 0  # steps, devices, units
    drawn = [*first, *second]
    agreement = [np.mean(drawn[i] == drawn[j]) for i in range(4) for j in range(i)]
    assert min(agreement) > 0.3
    assert max(agreement) < 0.7  # two independent masks of 200 agree in half of their places, give or take 0.035
    assert np.array_equal(first, again)


def test_the_processor_is_one_device_with_its_threads() -> None:
    devices = choose_devices("cpu", None)
    assert (devices.kind, devices.names, devices.note) == ("cpu", ("/device:CPU:0",), "CPU")
    assert devices.threads >= 1
    assert devices.strategy.num_replicas_in_sync == 1


def test_the_threads_of_a_run_may_be_given_again() -> None:
    assert choose_devices("cpu", choose_devices("cpu", None).threads).kind == "cpu"


def test_other_threads_are_refused_once_tensorflow_has_started() -> None:
    devices = choose_devices("cpu", None)
    with pytest.raises(ImgclfError, match="already started") as refused:
        choose_devices("cpu", devices.threads + 1)
    assert refused.value.hint == "use one device and one number of threads in a process"


def test_a_gpu_that_is_not_there_is_an_error_that_says_what_is_missing() -> None:
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    with pytest.raises(ImgclfError, match=r"device gpu: (TensorFlow sees no GPU|this TensorFlow was built without)"):
        choose_devices("gpu", None)
    assert choose_devices("auto", None).note.startswith("CPU: ")


def test_float32_is_never_rounded_to_tf32() -> None:
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(True)
    choose_devices("cpu", None)
    assert not tf.config.experimental.tensor_float_32_execution_enabled()
