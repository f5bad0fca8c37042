"""`imgclf export`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from imgclf.cli.options import DataDir, Debug, RunsDir


class Format(str, Enum):
    """What --format takes."""

    keras = "keras"
    saved_model = "saved_model"


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder or name, or latest.")],
    form: Annotated[
        Format, typer.Option("--format", help="keras: one file for Keras 3; saved_model: a folder for TensorFlow.")
    ],
    output: Annotated[
        str | None,
        typer.Option("--output", metavar="PATH", help="File (.keras) or folder to write (default: in the run)."),
    ] = None,
    data_dir: DataDir = None,
    runs_dir: RunsDir = None,
    debug: Debug = False,
) -> None:
    """Write a run's model for programs without imgclf: bytes in, probabilities out; read back and compared."""
    from imgclf.export import export as run_export
    from imgclf.export import find_exported

    path = Path(output) if output else None
    find_exported(run, form.value, path, runs_dir)  # mistakes are told before TensorFlow takes its seconds

    from imgclf.cli.screen import Terminal
    from imgclf.cli.tables import print_text
    from imgclf.texts import shape_text, size_text

    with Terminal().working(debug) as screen:
        exported = run_export(run, form.value, path, data_dir=data_dir, runs_dir=runs_dir, screen=screen)
    print_text(f"{exported.path} ({size_text(exported.size_bytes)})")
    print_text(f"takes images: uint8 (batch, {shape_text(exported.image_shape).replace('x', ', ')}), 0 to 255", "  ")
    for name, classes in exported.class_names.items():
        print_text(f"gives {name}: float32 (batch, {len(classes)}), classes as in class_names.json", "  ")
