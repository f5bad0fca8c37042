"""Arguments and options that commands on data share."""

from __future__ import annotations

from typing import Annotated

import typer

Config = Annotated[str, typer.Argument(metavar="CONFIG", help="An experiment file, or the name of a shipped config.")]
Save = Annotated[
    str | None,
    typer.Option("--save", metavar="DIR", help="Folder for the pictures (default: data-NAME).", show_default=False),
]
