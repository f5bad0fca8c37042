"""`imgclf data export`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from imgclf.cli.data.options import Config
from imgclf.cli.options import DataDir, Debug, Set
from imgclf.errors import encodable
from imgclf.texts import size_text


class Format(str, Enum):
    """What --format takes."""

    hdf5 = "hdf5"
    npz = "npz"


def export(
    config: Config,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write: .h5, .hdf5 or .npz.")],
    format_: Annotated[
        Format | None, typer.Option("--format", help="Format (default: by the file's ending).", show_default=False)
    ] = None,
    set_: Set = None,
    data_dir: DataDir = None,
    debug: Debug = False,
) -> None:
    """Write the images, labels and class names of a config's splits as arrays in one file.

    Image files are written at the experiment's size. Prints the `dataset:` section that loads them back.
    """
    from imgclf.cli.results import line
    from imgclf.cli.screen import Terminal
    from imgclf.cli.tables import print_table
    from imgclf.experiment.load import yaml_text
    from imgclf.export_data import export_data

    with Terminal().working(debug, tensorflow=False) as screen:
        done = export_data(
            config,
            file,
            form=format_.value if format_ else None,
            overrides=set_ or (),
            data_dir=data_dir,
            screen=screen,
        )
    line(f"wrote {done.file}, {size_text(done.file.stat().st_size)}")
    print_table(["array", "holds"], [list(item) for item in done.arrays.items()])
    line()
    line("this section of an experiment loads it:")
    line()
    print(encodable(yaml_text(done.section)), end="")
