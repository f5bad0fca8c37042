"""`imgclf models`."""

from __future__ import annotations

import inspect
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgclf.cli.options import Debug, Json, Set
from imgclf.errors import ImgclfError, printable
from imgclf.texts import shape_text

if TYPE_CHECKING:
    import keras

    from imgclf.experiment.single_model import SingleModel
    from imgclf.models.table import LayerRow

app = typer.Typer(help="The models that there are, and what one looks like.", no_args_is_help=True)
PICTURES = (".png", ".svg")


@app.command("list")
def list_models(json: Json = False) -> None:
    """Every model's name, and what it is."""
    from imgclf.cli.tables import print_table
    from imgclf.models import MODELS, model_name

    found = [(model_name(model), (inspect.getdoc(model) or "").splitlines()[0]) for model in MODELS]
    if json:
        _print_json([{"name": name, "description": description} for name, description in found])
    else:
        print_table(["name", "what it is"], found)


@app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model, a shipped config, or an experiment file.")],
    shape: Annotated[
        str | None,
        typer.Option(
            "--shape",
            metavar="HxWxC",
            help="Shape of an image [default: the config's data; 28x28x1].",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        int | None,
        typer.Option(
            "--classes", min=1, metavar="N", help="Classes [default: the config's data; 10].", show_default=False
        ),
    ] = None,
    set_: Set = None,
    diagram: Annotated[
        Path | None, typer.Option("--diagram", metavar="FILE", help="Draw the layers to a .png or .svg file.")
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """A model's settings, its layers with shapes and parameters, and a diagram of them."""
    from imgclf.experiment.single_model import find_model

    if diagram is not None and diagram.suffix.lower() not in PICTURES:
        raise ImgclfError(f"--diagram {diagram}: the name must end in .png or .svg")
    found = find_model(name, set_ or (), _parse_shape(shape), classes)  # mistakes before TensorFlow takes its seconds

    from imgclf.cli.screen import Terminal

    with Terminal().working(debug) as screen:
        network, layers = _build(found)
        if diagram is not None:
            _draw(diagram, layers, f"{name}, {shape_text(found.image_shape)}")
            screen.say(f"the diagram is in {diagram}")
    described = _describe(found, network, layers)
    if json:
        _print_json(described)
    else:
        _print(described)


def _parse_shape(text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text.lower().replace("×", "x"))
    if match is None:
        raise ImgclfError(f"--shape: expected HEIGHTxWIDTHxCHANNELS, for example 28x28x1; found {text!r}")
    height, width, channels = map(int, match.groups())
    return height, width, channels


def _build(found: SingleModel) -> tuple[keras.Model, list[LayerRow]]:
    from imgclf.models.heads import build_model
    from imgclf.models.table import layer_table

    network = build_model(found.settings, found.image_shape, found.classes)
    return network, layer_table(network)


def _draw(path: Path, layers: list[LayerRow], title: str) -> None:
    from imgclf.reporting.diagram import draw_model_diagram
    from imgclf.runs.files import write_whole

    picture = draw_model_diagram(layers, printable(title), "svg" if path.suffix.lower() == ".svg" else "png")
    try:
        write_whole(path, picture)
    except OSError as error:
        raise ImgclfError(f"--diagram {path}: can't be written: {error.strerror}") from error


def _describe(found: SingleModel, network: keras.Model, layers: list[LayerRow]) -> dict[str, Any]:
    from imgclf.experiment.single_model import setting_list
    from imgclf.models import model_name
    from imgclf.models.cost import multiply_adds

    return {
        "name": model_name(type(found.settings)),
        "description": inspect.getdoc(found.settings) or "",
        "image_shape": list(found.image_shape),
        "classes": found.classes,
        "notes": list(found.settings.notes(found.image_shape)),
        "settings": [vars(setting) for setting in setting_list(found.settings)],
        "layers": [
            {**vars(layer), "output_shape": list(layer.output_shape[1:]), "inputs": list(layer.inputs)}
            for layer in layers
        ],
        "parameters": network.count_params(),
        "trainable_parameters": sum(math.prod(weight.shape) for weight in network.trainable_weights),
        "multiply_adds": multiply_adds(network),
    }


def _print(described: dict[str, Any]) -> None:
    from imgclf.cli.tables import print_table, print_text

    print(described["name"])
    for paragraph in described["description"].split("\n\n"):
        print_text(" ".join(paragraph.split()))
    print("\nsettings (model.KEY in an experiment file)")
    for setting in described["settings"]:
        _print_setting(setting)
    if described["notes"]:
        print("\nwhat it does to these images first")
    for note in described["notes"]:
        print_text(note, "  ")
    classes = " + ".join(map(str, described["classes"].values()))
    print(f"\nlayers for images of {shape_text(described['image_shape'])}, {classes} classes")
    print_table(
        ["name", "kind", "output", "parameters"],
        [
            [layer["name"], layer["kind"], shape_text(layer["output_shape"]), f"{layer['parameters']:,}"]
            for layer in described["layers"]
        ],
        right=["parameters"],
    )
    print(f"\n{described['parameters']:,} parameters, {described['trainable_parameters']:,} of them trainable")
    print(f"{described['multiply_adds']:,} multiply-adds an image")


def _print_setting(setting: dict[str, Any]) -> None:
    from imgclf.cli.tables import print_text

    default = _value_text(setting["default"])
    changed = "" if setting["value"] == setting["default"] else f" (default {default})"
    print_text(f"{setting['key']}: {_value_text(setting['value'])}{changed}", "  ")
    print_text(setting["kind"], "      ")
    print_text(setting["meaning"], "      ")


def _value_text(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _print_json(value: Any) -> None:
    from imgclf.cli.results import print_json

    print_json(value)
