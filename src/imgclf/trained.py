"""A trained model, put together again from a run folder: what evaluate and predict have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgclf.datasets.base import Splits, Target
from imgclf.datasets.pixels.shaped import shaped
from imgclf.errors import ImgclfError
from imgclf.experiment.load import load_experiment
from imgclf.experiment.schema import Experiment
from imgclf.images.fit import ImageFit
from imgclf.inference import Forward
from imgclf.loading import image_fit
from imgclf.models.heads import build_model
from imgclf.models.initializers import zeros_for_random
from imgclf.preprocessing import Preprocessing
from imgclf.preprocessing.fit import fit as fit_preprocessing
from imgclf.runs.arrays import load_arrays
from imgclf.runs.calibration import read_calibration
from imgclf.runs.find import find_run, run_of_weights
from imgclf.runs.folder import RunFolder
from imgclf.runs.process import status_of
from imgclf.runs.weights import load_weights
from imgclf.screen import Screen
from imgclf.settings import ImageShape
from imgclf.startup import choose_kernels
from imgclf.texts import command_text
from imgclf.training.devices import DeviceChoice, Devices, choose_devices, make_deterministic
from imgclf.training.precision import computing_in

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Source:
    """Where a trained model comes from: its run (None for weights that lie alone), experiment and weights file."""

    run: RunFolder | None
    experiment: Experiment
    weights: Path
    record: dict[str, Any]

    @property
    def is_reported(self) -> bool:
        """Whether these are the weights that the run itself reports on."""
        return self.run is not None and self.weights.resolve() == _reported_weights(self.run, self.record).resolve()


@dataclass(frozen=True)
class Trained:
    """A model with its weights, ready for images (height, width, channels) uint8 of ``image_shape``.

    ``temperatures``: what the logits of a target are divided by for its probabilities; a target without one has 1.
    """

    source: Source
    targets: tuple[Target, ...]
    image_shape: ImageShape
    devices: Devices
    model: keras.Model
    preprocessing: Preprocessing
    forward: Forward
    temperatures: Mapping[str, float] = field(default_factory=dict)

    @property
    def fit(self) -> ImageFit:
        """How images are brought to ``image_shape``."""
        return image_fit(self.source.experiment.preprocessing).completed(self.image_shape)


def find_source(run: str | None, weights: Path | None, config: str | None, runs_dir: Path) -> Source:
    """The trained model that the user means: a run's, a run's other weights, or a weights file with its config.

    Raises ImgclfError where it is not there or the combination makes no sense.
    """
    if weights is not None and run is not None:
        raise ImgclfError("give a run or --weights, not both: weights inside a run's folder name their run")
    if weights is None:
        if config is not None:
            raise ImgclfError("--config goes with --weights: a run brings its own experiment")
        return _source_of_run(find_run(run or "latest", runs_dir))
    if not weights.is_file():
        raise ImgclfError(f"{weights}: no such weights file")
    owner = run_of_weights(weights)
    if owner is not None and config is None:
        return Source(owner, load_experiment(str(owner.experiment)).experiment, weights, owner.record())
    if config is None:
        raise ImgclfError(
            f"{weights}: lies in no run folder", hint="name the experiment that it was trained with: --config CONFIG"
        )
    return Source(None, load_experiment(config).experiment, weights, {})


def open_trained(
    source: Source,
    device: DeviceChoice | None,
    load_data: Callable[[], Splits],
    screen: Screen,
    *,
    calibrated: bool = True,
) -> Trained:
    """The model of ``source``, rebuilt from its experiment, with its weights, on this machine's device.

    Device and threads of the training don't bind: a run works wherever it is copied. ``load_data`` is called only for
    weights without a run, where shape, classes or preprocessing are known from nowhere else. The temperatures that were
    fitted for these weights come with them, unless they are not to be ``calibrated``. Raises ImgclfError where the
    weights don't fit.
    """
    choose_kernels()
    experiment = source.experiment
    devices = choose_devices(device or "auto", None)
    screen.say(f"device  {devices.note}")
    if source.record and (trained_on := _kind_of_training(source.record)) != devices.kind:
        screen.say(f"trained on {trained_on}, used on {devices.kind}: digits may differ in the last places")
    if experiment.runtime.deterministic:
        make_deterministic(devices)
    shape, targets = _shape_and_targets(source, load_data)
    classes = {target.name: len(target.class_names) for target in targets}
    image_shape = experiment.preprocessing.output_shape(shape)
    with computing_in(experiment.training.precision), zeros_for_random():
        model = build_model(experiment.model, image_shape, classes)
    load_weights(model, source.weights)
    preprocessing = _preprocessing(source, image_shape, load_data, screen)
    averaging, image_layer = experiment.evaluation.test_time_augmentation, experiment.model.image_layer()
    forward = Forward(model, preprocessing.apply, averaging, image_layer)
    temperatures = _temperatures(source, targets, screen) if calibrated else {}
    return Trained(source, targets, image_shape, devices, model, preprocessing, forward, temperatures)


def recorded_targets(record: dict[str, Any]) -> tuple[Target, ...]:
    """The targets of the data that a run was trained on, as its run.json names them."""
    return tuple(Target(one["name"], tuple(one["class_names"])) for one in record["data"]["targets"])


def _temperatures(source: Source, targets: tuple[Target, ...], screen: Screen) -> dict[str, float]:
    """By target, where the run keeps some that were fitted for these very weights; the user is told either way."""
    if source.run is None:
        return {}
    calibration = read_calibration(source.run.calibration, tuple(target.name for target in targets))
    if calibration is None:
        return {}
    if not calibration.is_of(source.weights):
        screen.say(f"probabilities not scaled: calibration.json is of other weights ({calibration.weights})")
        return {}
    found = calibration.temperatures
    told = [f"{value:.3g}" + (f" ({name})" if len(targets) > 1 else "") for name, value in found.items()]
    screen.say(f"probabilities scaled by temperature {', '.join(told)}, fitted on {calibration.split}")
    return found


def _preprocessing(
    source: Source, image_shape: ImageShape, load_data: Callable[[], Splits], screen: Screen
) -> Preprocessing:
    """The preprocessing as the run stored it; of weights without a run, fitted anew, which the user is told."""
    settings = source.experiment.preprocessing
    arrays = settings.arrays(image_shape)
    if not arrays:
        return Preprocessing(settings)
    if source.run is not None:
        recorded = source.record.get("preprocessing") or {}
        return Preprocessing(settings, load_arrays(source.run.preprocessing, arrays, recorded.get("sha256")))
    train = load_data().train
    pixels = shaped(train.pixels, image_fit(settings).completed(image_shape))
    fitted = fit_preprocessing(settings, pixels, image_shape, screen.progress)
    screen.say(
        f"{source.weights}: lies without its preprocessing; fitted anew, it may differ from that of the training"
    )
    for note in fitted.notes:
        screen.say(f"fitted  {note}")
    return fitted.preprocessing


def _source_of_run(run: RunFolder) -> Source:
    record = run.record()
    weights = _reported_weights(run, record)
    if not weights.is_file():
        raise _no_weights(run, record)
    return Source(run, load_experiment(str(run.experiment)).experiment, weights, record)


def _reported_weights(run: RunFolder, record: dict[str, Any]) -> Path:
    """The weights that the run's report is of; of a run without one, the last."""
    return run.best_weights if record.get("reported_weights") == "best" else run.last_weights


def _no_weights(run: RunFolder, record: dict[str, Any]) -> ImgclfError:
    status, others = status_of(record), [one for one in (run.best_weights, run.last_weights) if one.is_file()]
    missing = _reported_weights(run, record).name if others else "weights"
    ways = [command_text("train", "--resume", run.path)] if status not in ("running", "finished") else []
    ways += [command_text("evaluate", "--weights", one) for one in others]
    return ImgclfError(f"{run.path}: the run has no {missing}; its status is {status}", hint=" or ".join(ways) or None)


def _kind_of_training(record: dict[str, Any]) -> str:
    return "gpu" if any("GPU" in name for name in record["devices"]) else "cpu"


def _shape_and_targets(source: Source, load_data: Callable[[], Splits]) -> tuple[ImageShape, tuple[Target, ...]]:
    if source.record:
        height, width, channels = source.record["data"]["image_shape"]
        return (height, width, channels), recorded_targets(source.record)
    dataset = source.experiment.dataset
    shape, targets = dataset.known_shape(), dataset.known_targets()
    if shape is not None and targets is not None:
        return shape, targets
    splits = load_data()
    return splits.train.pixels.image_shape, splits.targets
