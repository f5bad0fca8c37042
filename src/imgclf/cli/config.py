"""`imgclf config`."""

from __future__ import annotations

import sys
from enum import Enum
from typing import Annotated

import typer

from imgclf.cli.options import Json, Set
from imgclf.errors import ImgclfError, printable

app = typer.Typer(help="Experiment files: the shipped ones, and what one says.", no_args_is_help=True)

Config = Annotated[str, typer.Argument(metavar="CONFIG", help="An experiment file, or the name of a shipped config.")]


class Document(str, Enum):
    """What --of takes."""

    experiment = "experiment"
    report = "report"
    predictions = "predictions"
    summary = "summary"
    comparison = "comparison"


@app.command("list")
def list_configs(json: Json = False) -> None:
    """The shipped configs: what each shows, and the accuracy that it was measured to reach."""
    from imgclf.cli.results import print_json
    from imgclf.cli.tables import print_table
    from imgclf.experiment.load import load_experiment
    from imgclf.experiment.shipped import shipped_configs, summary

    found = [(path, summary(path), load_experiment(str(path)).experiment.reference) for path in shipped_configs()]
    if json:
        print_json(
            [
                {
                    "name": path.stem,
                    "shows": shows,
                    "reference": reference.model_dump(mode="json") if reference else None,
                }
                for path, shows, reference in found
            ]
        )
        return
    print_table(
        ["name", "accuracy", "what it shows"],
        [
            [path.stem, f"{reference.accuracy.mean:.4f}" if reference else "-", shows]
            for path, shows, reference in found
        ],
        right=["accuracy"],
    )


@app.command("show")
def show_config(config: Config, set_: Set = None, json: Json = False) -> None:
    """The complete experiment, with every default, as YAML; loading it gives the same experiment."""
    from imgclf.experiment.load import experiment_text, load_experiment

    experiment = load_experiment(config, set_ or ()).experiment
    if json:
        from imgclf.cli.results import print_json

        print_json(experiment.complete())
    else:
        print(experiment_text(experiment), end="")


@app.command("check")
def check_configs(
    configs: Annotated[
        list[str], typer.Argument(metavar="CONFIG...", help="Experiment files, or names of shipped configs.")
    ],
    set_: Set = None,
) -> None:
    """Say what is wrong in experiment files, all that can be known without data; the exit status is 2 if anything is.

    Where one names a layer, its network is built, which takes TensorFlow's seconds.
    """
    from imgclf.cli.screen import Terminal
    from imgclf.experiment.load import load_experiment

    failed = False
    for config in configs:
        try:
            loaded = load_experiment(config, set_ or ())
            if loaded.experiment.names_layers():
                from imgclf.assembly import check_layers

                with Terminal().working(False):
                    check_layers(loaded)
        except ImgclfError as error:
            failed = True
            print("\n".join(error.lines()), file=sys.stderr)
        else:
            print(f"{printable(config)}: ok")
    if failed:
        raise typer.Exit(ImgclfError.exit_status)


@app.command("schema")
def print_schema(
    of: Annotated[Document, typer.Option("--of", help="Which document's schema.")] = Document.experiment,
) -> None:
    """The JSON Schema of experiment files (for editors), or of what a command's --json prints.

    report: evaluate, and report.json; predictions: predict; summary: train --seeds; comparison: models compare.
    """
    from imgclf.cli.results import print_json

    if of is Document.experiment:
        from imgclf.experiment.reference_page import json_schema
        from imgclf.experiment.schema import Experiment

        print_json(json_schema(Experiment))
        return
    from imgclf.evaluation.group_schemas import COMPARISON_SCHEMA, SUMMARY_SCHEMA
    from imgclf.evaluation.json_schemas import PREDICTIONS_SCHEMA, REPORT_SCHEMA

    schemas = {
        Document.report: REPORT_SCHEMA,
        Document.predictions: PREDICTIONS_SCHEMA,
        Document.summary: SUMMARY_SCHEMA,
        Document.comparison: COMPARISON_SCHEMA,
    }
    print_json(schemas[of])
