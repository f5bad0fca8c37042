"""What is trained: the network, its preprocessing and its images, from an experiment and its data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imgclf.datasets.base import Split, Splits
from imgclf.datasets.pixels.shaped import shaped
from imgclf.errors import ImgclfError
from imgclf.experiment.agreement import (
    class_problems,
    schedule_problems,
    shape_problems,
    too_small,
    validation_problems,
)
from imgclf.experiment.load import LoadedExperiment
from imgclf.experiment.schema import Experiment
from imgclf.experiment.stage_keys import keyed_stages
from imgclf.images.fit import ImageFit
from imgclf.models.classical_heads import ClassicalHead
from imgclf.models.cost import activation_bytes, multiply_adds, parameter_bytes
from imgclf.models.heads import build_model, cut
from imgclf.models.initializers import zeros_for_random
from imgclf.models.transfer import Transfer
from imgclf.preprocessing import Preprocessing
from imgclf.preprocessing.fit import fit as fit_preprocessing
from imgclf.pretrained import pretrained_file
from imgclf.recording import Recorder
from imgclf.runs.arrays import save_arrays
from imgclf.runs.folder import RunFolder
from imgclf.screen import Screen
from imgclf.settings import Misfit
from imgclf.trained import Source
from imgclf.training.class_weights import class_weights
from imgclf.training.devices import Devices, make_deterministic
from imgclf.training.precision import computing_in
from imgclf.training.settings import TrainingSettings
from imgclf.training.task import Images, Task
from imgclf.training.trainable import unknown_layer
from imgclf.transfer import preprocessing_of

if TYPE_CHECKING:
    import keras

CHUNK_MULTIPLY_ADDS = 2e11  # forward and backward; five seconds at the 40e9 a second of LeNet on two AVX2 cores
CHUNK_BYTES, CHUNK_STEPS = 2**20, 64


def check_network(loaded: LoadedExperiment, data_dir: str | Path | None) -> Path | None:
    """The file of published weights that the network begins with, before any data is read; None where there is none.

    Raises ImgclfError where it is nowhere, and for every name of a layer that the network does not have.
    """
    model = loaded.experiment.model
    misfits = layer_problems(loaded.experiment)
    try:
        path = pretrained_file(model, data_dir)
    except ImgclfError as error:
        if not misfits:
            raise
        message = f"{error}; {error.hint}" if error.hint else str(error)
        misfits.append(Misfit(("model", "weights"), message.removeprefix("model.weights: ")))
    if misfits:
        raise loaded.error(misfits)
    return path


def check_layers(loaded: LoadedExperiment) -> None:
    """Raise ImgclfError for every name of a layer that the network does not have."""
    if misfits := layer_problems(loaded.experiment):
        raise loaded.error(misfits)


def layer_problems(experiment: Experiment) -> list[Misfit]:
    """Names of layers that the network does not have, as far as the images' shape is known without reading any.

    Of images that are too small for the network, that is all there is to say.

    To know its layers the network is built, where the experiment names one: 0.1 s for VGG16, 1 s for DenseNet121.
    """
    model, shape, misfits = experiment.model, experiment.shape_without_data(), []
    if shape is None or not experiment.names_layers() or (isinstance(model, Transfer) and model.body is None):
        return []
    if message := too_small(model, shape):
        return [Misfit(("model",), f"{message}; set preprocessing.size")]
    with zeros_for_random():
        if message := model.cut_problem(shape):
            misfits.append(Misfit(("model", "cut"), message))
            model = model.model_copy(update={"cut": None})
        network = build_model(model, shape, {"label": 2})
    for number, trainable in experiment.named_layers():
        if message := unknown_layer(network, cut(network)[1], trainable):
            stage = ("stages", number) if experiment.training.stages else ()
            misfits.append(Misfit(("training", *stage, "trainable"), message))
    return misfits


def check_data(loaded: LoadedExperiment, splits: Splits, devices: Devices) -> None:
    """What only the data itself can tell: shapes, classes, and whether there is a batch to train on."""
    experiment = loaded.experiment
    misfits = shape_problems(experiment, splits.train.pixels.image_shape) + class_problems(experiment, splits.targets)
    misfits += schedule_problems(experiment, len(splits.train))
    misfits += [] if splits.validation else validation_problems(experiment)
    if not isinstance(experiment.model.head, ClassicalHead):
        misfits += batch_problems(experiment, len(splits.train), len(devices.names))
    if misfits:
        raise loaded.error(misfits)


def batch_problems(experiment: Experiment, images: int, devices: int) -> list[Misfit]:
    """Batches that the training split does not fill once, or that the devices can't share."""
    problems = {}
    for stage in keyed_stages(experiment.training):
        path, size = stage.path("batch_size"), stage.settings.batch_size
        if size > images:
            problems[path] = (
                f"the training split has {images} images; a batch of {size} is larger; set it to {images} or less: a "
                "step is made of whole batches"
            )
        elif size % devices:
            problems[path] = f"{size} images can't be shared evenly by {devices} devices"
    return [Misfit(path, message) for path, message in problems.items()]


def build_network(experiment: Experiment, splits: Splits, devices: Devices) -> keras.Model:
    """The network with its first weights, which depend on the seed alone."""
    import keras

    keras.utils.set_random_seed(experiment.seed)
    if experiment.runtime.deterministic:
        make_deterministic(devices)
    classes = {target.name: len(target.class_names) for target in splits.targets}
    shape = experiment.preprocessing.output_shape(splits.train.pixels.image_shape)
    with devices.strategy.scope(), computing_in(experiment.training.precision):
        return build_model(experiment.model, shape, classes)


def keeps_memory(experiment: Experiment, model: keras.Model, limit: int) -> bool:
    """Whether training may keep all memory that it frees: where it takes no more than half of ``limit`` (bytes).

    Measured: Adam on one large layer comes to take 9 times the weights; large maps, 3 times what the layers put out.
    """
    maps = _largest_batch(experiment.training) * activation_bytes(model)
    return 2 * (9 * parameter_bytes(model) + 3 * maps) <= limit


def resolved(experiment: Experiment, model: keras.Model, devices: Devices) -> Experiment:
    """The experiment with what this machine decides filled in: device, threads, steps in a call."""
    training, runtime = experiment.training, experiment.runtime
    steps = training.steps_per_call or _steps_per_call(model, _largest_batch(training))
    return experiment.model_copy(
        update={
            "training": training.model_copy(update={"steps_per_call": steps}),
            "runtime": runtime.model_copy(update={"device": devices.kind, "threads": devices.threads}),
        }
    )


def fit_run_preprocessing(
    run: RunFolder,
    experiment: Experiment,
    model: keras.Model,
    earlier: Source | None,
    fitting: ImageFit,
    splits: Splits,
    recorder: Recorder,
    screen: Screen,
) -> Preprocessing:
    """The preprocessing, fitted on the training images and stored in the run, where there is something to fit.

    Weights of an earlier run come with what that run fitted; a run that goes on has fitted already.
    """
    shape = model.input_shape[1:]
    if run.preprocessing.is_file() and (taken := preprocessing_of(run, experiment.preprocessing, shape)):
        return taken
    if earlier and earlier.run and (taken := preprocessing_of(earlier.run, experiment.preprocessing, shape)):
        recorder.say("fitted  preprocessing: as the earlier run fitted it on its own images")
        sha256 = save_arrays(run.preprocessing, taken.fitted)
        run.update(preprocessing={**(earlier.record.get("preprocessing") or {}), "sha256": sha256})
        return taken
    pixels = shaped(splits.train.pixels, fitting)
    fitted = fit_preprocessing(experiment.preprocessing, pixels, shape, screen.progress)
    for note in fitted.notes:
        recorder.say(f"fitted  {note}")
    if fitted.record:
        sha256 = save_arrays(run.preprocessing, fitted.preprocessing.fitted)
        run.update(preprocessing={**fitted.record, "sha256": sha256})
    return fitted.preprocessing


def make_task(
    experiment: Experiment,
    splits: Splits,
    devices: Devices,
    model: keras.Model,
    fitting: ImageFit,
    preprocessing: Preprocessing,
) -> Task:
    """All that the loop needs, of the parts that were made one by one."""
    stages = experiment.stages()
    body, head = cut(model)
    return Task(
        model=model,
        body=body,
        head=head,
        strategy=devices.strategy,
        settings=experiment.training,
        stages=stages,
        preprocessing=preprocessing,
        augmentations=experiment.augmentation,
        train=_images(splits.train, fitting),
        validation=_images(splits.validation, fitting) if splits.validation else None,
        class_weights=tuple(
            tuple(
                class_weights(stage.class_weight, splits.train.labels[:, i], target.class_names)
                for i, target in enumerate(splits.targets)
            )
            for stage in stages
        ),
        seed=experiment.seed,
        test_time_augmentation=experiment.evaluation.test_time_augmentation,
    )


def _largest_batch(training: TrainingSettings) -> int:
    return max(stage.batch_size for stage in training.resolved_stages())


def _steps_per_call(model: keras.Model, batch: int) -> int:
    """As many steps as bounds of work and of pixels' memory allow, 64 at most."""
    by_work = CHUNK_MULTIPLY_ADDS / (multiply_adds(model) * 3 * batch + 1)
    by_memory = CHUNK_BYTES / (int(np.prod(model.input_shape[1:])) * batch)
    return int(max(1, min(by_work, by_memory, CHUNK_STEPS)))


def _images(split: Split, fitting: ImageFit) -> Images:
    return Images(shaped(split.pixels, fitting), split.labels)
