from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
from pydantic import Field, ValidationError

from imgclf.errors import ImgclfError
from imgclf.settings import Settings
from imgclf.training.optimizers import KERAS_CLASSES, Muon, OptimizerUnion, Sgd

if TYPE_CHECKING:
    import keras

BELONG_TO_TRAINING = {
    "name", "clipnorm", "clipvalue", "global_clipnorm", "use_ema", "ema_momentum", "ema_overwrite_frequency",
    "loss_scale_factor", "gradient_accumulation_steps",
}  # fmt: skip
LEFT_OUT = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "ScheduleFreeAdamW"}
OPTIMIZERS = get_args(get_args(OptimizerUnion)[0])
NAMES = [get_args(settings.model_fields["name"].annotation)[0] for settings in OPTIMIZERS]
OTHER_SETTINGS: dict[str, dict[str, Any]] = {
    "sgd": {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    "rmsprop": {"rho": 0.5, "momentum": 0.5, "epsilon": 0.1, "centered": True},
    "adam": {"beta_1": 0.5, "beta_2": 0.6, "epsilon": 0.1, "amsgrad": True},
    "adamw": {"weight_decay": 0.5, "beta_2": 0.5},
    "adadelta": {"learning_rate": 1, "rho": 0.5, "epsilon": 0.1},
    "adagrad": {"initial_accumulator_value": 1, "epsilon": 0.1},
    "adamax": {"beta_1": 0.5, "epsilon": 0.1},
    "nadam": {"beta_1": 0.5, "epsilon": 0.1},
    "ftrl": {"learning_rate_power": -0.25, "l1_regularization_strength": 0.1, "beta": 0.1},
    "lion": {"beta_1": 0.5, "weight_decay": 0.5},
    "lamb": {"beta_1": 0.5, "epsilon": 0.1},
    "adafactor": {"clip_threshold": 0.5, "relative_step": False},
    "muon": {"momentum": 0.5, "ns_steps": 3, "rms_rate": None},
}


class Training(Settings):
    optimizer: OptimizerUnion = Field(Sgd(name="sgd"))


def read(text: str) -> OptimizerUnion:
    return Training.model_validate_json(text).optimizer


def keras_defaults(keras_class: type) -> dict[str, Any]:
    parameters = inspect.signature(keras_class.__init__).parameters.values()
    named = [parameter for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]
    return {one.name: one.default for one in named if one.name not in BELONG_TO_TRAINING | {"self"}}


def muon_fits() -> bool:
    import keras

    return "rms_rate" in inspect.signature(keras.optimizers.Muon.__init__).parameters


def one_step(optimizer: keras.optimizers.Optimizer) -> tuple[np.ndarray, float, float]:
    """The weights after one step down 0.5 * |weights - 1|^2, and the loss before and after."""
    import keras

    start = np.array([[3.0, -2.0], [0.5, 4.0], [-1.0, 2.0]], np.float32)
    weights = keras.Variable(start)
    optimizer.apply([keras.ops.convert_to_tensor(start - 1)], [weights])
    after = weights.value.numpy()
    return after, float(((start - 1) ** 2).sum()), float(((after - 1) ** 2).sum())


def test_every_optimizer_that_keras_exports_is_known_or_left_out_on_purpose() -> None:
    import keras

    exported = {
        name
        for name, value in vars(keras.optimizers).items()
        if inspect.isclass(value) and issubclass(value, keras.optimizers.Optimizer)
    }
    assert exported - LEFT_OUT == set(KERAS_CLASSES.values())
    assert list(KERAS_CLASSES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_settings_and_defaults_are_those_of_keras(name: str) -> None:
    import keras

    if name == "muon" and not muon_fits():
        pytest.skip("this Keras has an earlier form of Muon, which is refused")
    ours = read(f'{{"optimizer": {{"name": "{name}"}}}}').model_dump(exclude={"name"})
    theirs = keras_defaults(getattr(keras.optimizers, KERAS_CLASSES[name]))
    assert {key: value or None for key, value in ours.items()} == {key: value or None for key, value in theirs.items()}


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_built_optimizer_steps_as_the_one_of_keras_does(name: str, changed: bool) -> None:
    import keras

    if name == "muon" and not muon_fits():
        pytest.skip("this Keras has an earlier form of Muon, which is refused")
    settings = OTHER_SETTINGS[name] if changed else {}
    ours = read(json.dumps({"optimizer": {"name": name, **settings}})).build()
    numbers = {
        key: float(value) if type(value) is int and key != "ns_steps" else value for key, value in settings.items()
    }
    weights, before, after = one_step(ours)
    expected, _, _ = one_step(getattr(keras.optimizers, KERAS_CLASSES[name])(**numbers))
    assert np.array_equal(weights, expected)
    assert after < before


def test_muon_of_a_keras_without_its_settings_is_refused() -> None:
    if muon_fits():
        pytest.skip("this Keras has all of Muon's settings")
    with pytest.raises(ImgclfError, match="muon must have the setting adam_weight_decay"):
        Muon(name="muon").build()


def test_building_twice_gives_two_optimizers() -> None:
    settings = Sgd(name="sgd", momentum=0.9)
    assert settings.build() is not settings.build()


def test_lists_are_taken_from_json() -> None:
    assert read('{"optimizer": {"name": "muon", "exclude_layers": ["embed", "logits.*"]}}').exclude_layers == (
        "embed",
        "logits.*",
    )


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ('{"name": "sgd", "learning_rate": "fast"}', ("optimizer", "sgd", "learning_rate")),
        ('{"name": "sgd", "learning_rate": 0}', ("optimizer", "sgd", "learning_rate")),
        ('{"name": "sgd", "momentum": 1.5}', ("optimizer", "sgd", "momentum")),
        ('{"name": "adam", "momentum": 0.9}', ("optimizer", "adam", "momentum")),
        ('{"name": "adamw", "weight_decay": null}', ("optimizer", "adamw", "weight_decay")),
        ('{"name": "ftrl", "learning_rate_power": 0.5}', ("optimizer", "ftrl", "learning_rate_power")),
        ('{"name": "lion", "beta_1": 0}', ("optimizer", "lion", "beta_1")),
        ('{"name": "muon", "exclude_layers": ["("]}', ("optimizer", "muon", "exclude_layers", 0)),
        ('{"name": "muon", "exclude_layers": [3]}', ("optimizer", "muon", "exclude_layers", 0)),
        ('{"name": "adm"}', ("optimizer",)),
        ("3", ("optimizer",)),
    ],
)
def test_a_mistake_is_reported_where_it_stands(text: str, location: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        read(f'{{"optimizer": {text}}}')
    assert [error["loc"] for error in caught.value.errors()] == [location]


def test_every_setting_is_described() -> None:
    for settings in OPTIMIZERS:
        assert [key for key, field in settings.model_fields.items() if not field.description] == []
