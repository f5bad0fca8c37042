"""`imgclf models`."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgclf.cli.options import DataDir, Debug, DeviceOption, Json, RunsDir, Set
from imgclf.errors import ImgclfError, WorkFailed, printable
from imgclf.texts import shape_text

if TYPE_CHECKING:
    import keras

    from imgclf.experiment.single_model import SingleModel
    from imgclf.models.table import LayerRow

app = typer.Typer(help="The models that there are, what one looks like, and how several compare.", no_args_is_help=True)
PICTURES = (".png", ".svg")
OF_A_RUN = (
    "its layers are those of the earlier run's network; `imgclf models show RUN/experiment.yaml` shows them, with RUN "
    "the folder of that run, or of one that was trained on it"
)


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
    if found.rests_on_a_run:
        _show_settings(found, json)
        if diagram is not None:
            raise ImgclfError(f"--diagram {diagram}: {OF_A_RUN}")
        return

    from imgclf.cli.model_page import describe, print_model
    from imgclf.cli.screen import Terminal

    with Terminal().working(debug) as screen:
        network, layers = _build(found)
        if diagram is not None:
            _draw(diagram, layers, f"{name}, {shape_text(found.image_shape)}")
            screen.say(f"the diagram is in {diagram}")
    described = describe(found, network, layers)
    if json:
        _print_json(described)
    else:
        print_model(described)


@app.command("compare")
def compare_models(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="An experiment file, or the name of a shipped config.")
    ],
    models: Annotated[
        list[str],
        typer.Option(
            "--models",
            "--model",
            metavar="A,B,...",
            help="Models, as a YAML list has them: lenet,'{name: lenet, filters: [4, 8]}'; may be repeated.",
        ),
    ],
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs", min=1, metavar="N", help="Epochs of each (default: the config's).", show_default=False
        ),
    ] = None,
    set_: Set = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the folder (default: the config's).", show_default=False)
    ] = None,
    device: DeviceOption = None,
    data_dir: DataDir = None,
    runs_dir: RunsDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Train several models in the place of the config's own, and print accuracy, times and sizes side by side."""
    from imgclf.children import Options
    from imgclf.cli.groups import print_models
    from imgclf.cli.screen import Terminal
    from imgclf.compare_models import compare_models as run_comparison

    with Terminal().working(debug, tensorflow=False) as screen:
        result = run_comparison(
            config,
            models,
            epochs=epochs,
            overrides=set_ or (),
            name=name,
            options=Options(device.value if device else None, data_dir, debug),
            runs_dir=runs_dir,
            screen=screen,
        )
    if json:
        _print_json(result.record)
    else:
        print_models(result.group, result.record)
    if result.failed:
        raise WorkFailed(f"{result.group.path}: failed: {', '.join(one['label'] for one in result.failed)}")


@app.command("time")
def time_model(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="A run's folder or name, or latest: the newest finished one.")
    ] = "latest",
    device: DeviceOption = None,
    runs_dir: RunsDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """How long a trained model takes for one image and for a batch, its size and its multiply-adds."""
    from imgclf.cli.screen import Terminal
    from imgclf.time_model import time_model as run_timing

    with Terminal().working(debug) as screen:
        timed = run_timing(run, device=device.value if device else None, runs_dir=runs_dir, screen=screen)
    if json:
        _print_json(timed)
    else:
        _print_times(timed)


def _print_times(timed: dict[str, Any]) -> None:
    from imgclf.cli.tables import print_labelled

    batch = timed["batch_latency_seconds"]
    rate = f"{timed['batch_size'] / batch:,.0f} images a second"
    print_labelled(
        [
            ("one image", f"{timed['latency_seconds'] * 1e3:.2f} ms, median of {timed['latency_repeats']:,}"),
            (
                f"batch of {timed['batch_size']}",
                f"{batch * 1e3:.1f} ms, median of {timed['batch_latency_repeats']:,}: {rate}",
            ),
            ("parameters", f"{timed['parameters']:,}"),
            ("weights", f"{timed['weights_bytes'] / 1e6:.2f} MB"),
            ("multiply-adds", f"{timed['multiply_adds']:,} an image"),
        ]
    )


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


def _show_settings(found: SingleModel, json: bool) -> None:
    """What there is to show of a model whose network is that of a run."""
    from imgclf.cli.model_page import describe_settings, print_settings
    from imgclf.cli.tables import print_text

    described = describe_settings(found)
    if json:
        _print_json(described)
        return
    print_settings(described)
    print()
    print_text(OF_A_RUN)


def _print_json(value: Any) -> None:
    from imgclf.cli.results import print_json

    print_json(value)
