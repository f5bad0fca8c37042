"""What `imgclf models show` says of a model: its settings, its layers, what it costs."""

from __future__ import annotations

import inspect
import json
import math
from typing import TYPE_CHECKING, Any

from imgclf.cli.tables import print_table, print_text
from imgclf.experiment.single_model import SingleModel, setting_list
from imgclf.models import model_name
from imgclf.models.cost import activation_bytes, multiply_adds, parameter_bytes
from imgclf.texts import shape_text, size_text

if TYPE_CHECKING:
    import keras

    from imgclf.models.table import LayerRow


def describe_settings(found: SingleModel) -> dict[str, Any]:
    """A model's name, what it is and its settings: all that is known without its network."""
    return {
        "name": model_name(type(found.settings)),
        "description": inspect.getdoc(found.settings) or "",
        "settings": [vars(setting) for setting in setting_list(found.settings)],
    }


def describe(found: SingleModel, network: keras.Model, layers: list[LayerRow]) -> dict[str, Any]:
    """All that is shown of a model, its network built: what `--json` prints."""
    return {
        **describe_settings(found),
        "image_shape": list(found.image_shape),
        "classes": found.classes,
        "notes": list(found.settings.notes(found.image_shape)),
        "layers": [
            {**vars(layer), "output_shape": list(layer.output_shape[1:]), "inputs": list(layer.inputs)}
            for layer in layers
        ],
        "parameters": network.count_params(),
        "trainable_parameters": sum(math.prod(weight.shape) for weight in network.trainable_weights),
        "multiply_adds": multiply_adds(network),
        "parameter_bytes": parameter_bytes(network),
        "activation_bytes": activation_bytes(network),
        "remarks": found.remarks,
    }


def print_settings(described: dict[str, Any]) -> None:
    """What :func:`describe_settings` found, for people."""
    print(described["name"])
    for paragraph in described["description"].split("\n\n"):
        print_text(" ".join(paragraph.split()))
    print("\nsettings (model.KEY in an experiment file; those of another choice: --set model.KEY=NAME)")
    for setting in described["settings"]:
        _print_setting(setting)


def print_model(described: dict[str, Any]) -> None:
    """What :func:`describe` found, for people."""
    print_settings(described)
    if described["notes"]:
        print("\nwhat it does to these images first")
    for note in described["notes"]:
        print_text(note, "  ")
    classes = " + ".join(map(str, described["classes"].values()))
    print(f"\nlayers for images of {shape_text(described['image_shape'])}, {classes} classes")
    _print_layers(described["layers"])
    _print_totals(described)


def _print_layers(layers: list[dict[str, Any]]) -> None:
    print_table(
        ["name", "kind", "output", "multiply-adds", "parameters"],
        [
            [
                layer["name"],
                layer["kind"],
                shape_text(layer["output_shape"]),
                f"{layer['multiply_adds']:,}",
                f"{layer['parameters']:,}",
            ]
            for layer in layers
        ],
        right=["multiply-adds", "parameters"],
    )


def _print_totals(described: dict[str, Any]) -> None:
    print(f"\n{described['parameters']:,} parameters, {described['trainable_parameters']:,} of them trainable")
    print(f"{described['multiply_adds']:,} multiply-adds an image")
    parameters, activations = (size_text(described[f"{what}_bytes"]) for what in ("parameter", "activation"))
    print_text(f"{parameters} of parameters, as float32")
    print_text(f"{activations} of activations an image, as float32: the outputs of all layers, which training keeps")
    for remark in described["remarks"]:
        print_text(remark)


def _print_setting(setting: dict[str, Any]) -> None:
    default = _value_text(setting["default"])
    changed = "" if setting["value"] == setting["default"] else f" (default {default})"
    print_text(f"{setting['key']}: {_value_text(setting['value'])}{changed}", "  ")
    print_text(setting["kind"], "      ")
    print_text(setting["meaning"], "      ")


def _value_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
